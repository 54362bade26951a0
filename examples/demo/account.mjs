// What the demonstration prints: numbered steps, and below each what was asked, what came of it and who decided.

const tty = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = code => text => tty ? `\x1b[${code}m${text}\x1b[0m` : text;
export const bold = paint(1), dim = paint(2), red = paint(31), green = paint(32), yellow = paint(33);

const width = 110, indent = 5, label = 12;
let steps = 0;
const failures = [];

export function step(title) {
    console.log(`\n${bold(String(++steps).padStart(3))}  ${bold(title)}`);
}

/** One labelled line; long text goes on below its own beginning. */
export function line(name, text, colour = same => same) {
    const room = width - indent - label;
    const lines = String(text).split('\n').flatMap(part => wrap(part, room));
    lines.forEach((part, i) => {
        const head = i === 0 ? dim(name.padEnd(label)) : ' '.repeat(label);
        console.log(' '.repeat(indent) + head + colour(part));
    });
}

function wrap(text, room) {
    const lines = [];
    while (text.length > room) {
        const space = text.lastIndexOf(' ', room);
        const end = space > room / 2 ? space : room;
        lines.push(text.slice(0, end));
        text = text.slice(end).trimStart();
    }
    return [...lines, text];
}

/** Something that must be so. What is not is said at once, and again at the end. */
export function check(holds, what, found) {
    if (holds) return line('checked', what, green);
    const text = found === undefined ? what : `${what}; found: ${found}`;
    failures.push(`step ${steps}: ${text}`);
    line('NOT SO', text, red);
}

/** True if everything was well. An error is one that ended the story early. */
export function summary(error) {
    console.log();
    for (const failure of failures) console.log(red(`     not as it must be, ${failure}`));
    if (error) {
        console.log(red(`     ended early, in step ${steps}: ${error.stack}`));
        return false;
    }
    if (failures.length === 0) console.log(green('     Everything was as it must be.'));
    return failures.length === 0;
}
