// The official generator of schemas for tools (npm @cedar-policy/mcp-schema-generator-wasm) over JSON Lines:
//
//     node --no-opt generator.cjs FOLDER_OF_THE_PACKAGE
//
//     {"stub": text, "tools": JSON text, "options": {..}, "input": JSON text or null}
//     the package's own answer: {"isOk", "schema" | "entitiesJson", "error" ..}
//
// Arguments cross as text, so no number is rounded here.

"use strict";

const path = require("node:path");

const generator = require(path.resolve(process.argv[2]));

function answer(asked) {
    const options = JSON.stringify(asked.options);
    try {
        return asked.input === null
            ? generator.generateSchema(asked.stub, asked.tools, options)
            : generator.generateRequest(asked.stub, asked.tools, asked.input, "User", "ann", "McpServer", "srv", options);
    } catch (e) {
        return JSON.stringify({ isOk: false, error: `thrown: ${e}` });
    }
}

let rest = Buffer.alloc(0);
process.stdin.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    let end;
    let start = 0;
    while ((end = rest.indexOf(10, start)) >= 0) {
        process.stdout.write(answer(JSON.parse(rest.toString("utf8", start, end))).replaceAll("\n", " ") + "\n");
        start = end + 1;
    }
    rest = rest.subarray(start);
});
