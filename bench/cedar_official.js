// Measures the official engine, the WebAssembly build of npm @cedar-policy/cedar-wasm, on the cases
// that come as JSON on standard input. Prints JSON: the version, and of each case the median time of
// a call in nanoseconds and the decisions on its requests.
//
// Policies are parsed once. The interface takes the entities with each call and parses them anew.

'use strict';
const cedar = require('@cedar-policy/cedar-wasm/nodejs');

const ROUNDS = 9;
const ROUND_NANOSECONDS = 60_000_000;

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

function call(set, entities, request) {
  const answer = cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: set, entities });
  if (answer.type !== 'success') {
    throw new Error(JSON.stringify(answer.errors));
  }
  return answer.response.decision;
}

function measure(set, entities, requests) {
  const rounds = [];
  let next = 0;
  for (let round = 0; round < ROUNDS; ++round) {
    const start = process.hrtime.bigint();
    let calls = 0;
    let elapsed = 0;
    do {
      call(set, entities, requests[next++ % requests.length]);
      ++calls;
      elapsed = Number(process.hrtime.bigint() - start);
    } while (elapsed < ROUND_NANOSECONDS);
    rounds.push(elapsed / calls);
  }
  return median(rounds);
}

const results = [];
for (const { name, policies, entities, requests } of JSON.parse(require('fs').readFileSync(0))) {
  const parsed = cedar.preparsePolicySet(name, { staticPolicies: policies });
  if (parsed.type !== 'success') {
    throw new Error(JSON.stringify(parsed.errors));
  }
  // Large cases take tens of milliseconds a call.
  const asked = requests.slice(0, name.startsWith('scopes/') ? 10 : requests.length);
  const decisions = asked.map((request) => call(name, entities, request));
  results.push({ name, nanoseconds: measure(name, entities, requests), decisions });
}
console.log(JSON.stringify({ version: cedar.getCedarVersion(), results }));
