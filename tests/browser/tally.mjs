// Counts what holds and what does not: one line a check.

const counts = { passed: 0, failed: 0 };

function note(holds, sentence, detail) {
  counts[holds ? "passed" : "failed"] += 1;
  console.log(`${holds ? "ok   " : "FAIL "} ${sentence}`);
  if (!holds) console.log(`      ${detail}`);
}

// Whether two values are the same, written as JSON.
export function same(sentence, expected, found) {
  const [wanted, got] = [JSON.stringify(expected), JSON.stringify(found)];
  note(wanted === got, sentence, `expected ${wanted}\n      found    ${got}`);
}

// Whether a text is what a pattern describes.
export function like(sentence, pattern, found) {
  note(pattern.test(String(found)), sentence, `expected ${pattern}\n      found    ${found}`);
}

// Whether a list of faults is empty.
export function none(sentence, faults) {
  note(faults.length === 0, sentence, faults.join("\n      "));
}

// One part of the suite; what it throws is a failed check and not the end of the others.
export async function part(name, run) {
  try {
    await run();
  } catch (error) {
    note(false, `${name} runs to its end`, error.stack);
  }
}

export function summary() {
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0;
}
