# Turns the portal's files into C strings: embed_portal.sh OUTPUT NAME FILE [NAME FILE]...
out=$1
shift
while [ $# -gt 1 ]; do
    echo "static const char $1[] ="
    sed -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' "$2"
    echo ";"
    shift 2
done > "$out"
