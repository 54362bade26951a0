// The official engine (npm @cedar-policy/cedar-wasm) over JSON Lines: {"id":..,"call":..,"input":..} in, in the order
// of reading {"id":..,"output":..} out. Start it with --no-opt (its optimising compiler aborts under load):
//
//     node --no-opt oracle.cjs FOLDER_OF_THE_PACKAGE
//
// JavaScript never reads the input nor the answer: both cross as text, since its parser would round integers beyond
// 2^53 and drop the first of two equal keys. An input that kills the instance (deep nesting does) is answered with
// {"id":..,"died":true}, and the next one meets a fresh instance. What the package throws for arguments of a wrong shape is a
// failure like the ones it returns.

"use strict";

const path = require("node:path");

const entry = path.join(path.resolve(process.argv[2]), "nodejs", "cedar_wasm.js");
const parse = JSON.parse;
const stringify = JSON.stringify;

let engine = null;

function fresh() {
    delete require.cache[entry];
    engine = require(entry);
}

// The package's glue calls JSON.stringify on the argument and JSON.parse on the answer, each once.
function exact(call, input) {
    let answer = null;
    JSON.stringify = () => input;
    JSON.parse = (text) => {
        answer = text;
        return null;
    };
    try {
        engine[call]({});
    } finally {
        JSON.stringify = stringify;
        JSON.parse = parse;
    }
    return answer;
}

// Numbers as they are written.
const kept = (input) => parse(input, (_, value, { source }) => (typeof value === "number" ? JSON.rawJSON(source) : value));

// Calls that take a bare string or two arguments do not cross as one JSON value.
const PLAIN = {
    getValidRequestEnvsPolicy: (input) => stringify(engine.getValidRequestEnvsPolicy(...kept(input))),
    getValidRequestEnvsTemplate: (input) => stringify(engine.getValidRequestEnvsTemplate(...kept(input))),
    policySetTextToParts: (input) => stringify(engine.policySetTextToParts(parse(input))),
    schemaToJsonWithResolvedTypes: (input) => stringify(engine.schemaToJsonWithResolvedTypes(parse(input))),
};

function answer(call, input) {
    try {
        return `"output":${PLAIN[call] ? PLAIN[call](input) : exact(call, input)}`;
    } catch (e) {
        if (e instanceof WebAssembly.RuntimeError || e instanceof RangeError) {
            fresh();
            return '"died":true';
        }
        return `"output":${stringify({ type: "failure", thrown: String(e && e.message ? e.message : e) })}`;
    }
}

fresh();
if (process.argv[3] === "--version") {
    console.log(engine.getCedarSDKVersion());
    process.exit(0);
}

// Not readline, which would also split at U+2028.
let rest = Buffer.alloc(0);
process.stdin.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    let end;
    let start = 0;
    let out = "";
    while ((end = rest.indexOf(10, start)) >= 0) {
        const line = rest.toString("utf8", start, end);
        start = end + 1;
        const at = line.indexOf(',"input":');
        const head = parse(line.slice(0, at) + "}");
        const input = line.slice(at + ',"input":'.length, -1);
        out += `{"id":${stringify(head.id)},${answer(head.call, input)}}\n`;
    }
    rest = rest.subarray(start);
    process.stdout.write(out);
});
