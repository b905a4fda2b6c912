// Prints what the WebAssembly module says: `node run.mjs MODULE streams | replays | NUMBER`.
import { readFileSync, writeSync } from "node:fs";

const [file, what] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(file));
const number = { streams: -1, replays: -2 }[what] ?? Number(what);
const place = BigInt.asUintN(64, instance.exports.plimsoll_text(number));
let text = new Uint8Array(instance.exports.memory.buffer, Number(place >> 32n), Number(place & 0xffffffffn));
while (text.length > 0) {
    text = text.subarray(writeSync(1, text));
}
