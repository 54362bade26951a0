# Turns a text file into a C string: embed.sh INPUT OUTPUT NAME
{
    echo "static const char $3[] ="
    sed -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' "$1"
    echo ";"
} > "$2"
