#!/usr/bin/env node
'use strict';
// Writes cases with the answers of the official implementation, one JSON object a line:
//
//   node generate.js [--package DIRECTORY] [--seed N] [--minutes N | --cases N]
//
// DIRECTORY is where @cedar-policy/cedar-wasm is installed, if node does not find it by itself. A
// case has some of these, where a string is text that still must be parsed:
//   "policies": Cedar text; "policyJson": one policy in JSON; "links": [{template_id, link_id,
//   args}]; "schema": Cedar text; "schemaJson"; "entities"; "requests": [[principal, action,
//   resource, context], …]; "expect": the answers, as answers.js puts them together.

const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { Answers } = require('./answers.js');
const { cases } = require('./cases.js');
const { encode } = require('./json.js');
const { Oracle } = require('./oracle.js');
const { Random } = require('./random.js');

function main() {
  const { values } = parseArgs({
    options: {
      package: { type: 'string' },
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string' },
      cases: { type: 'string' },
    },
  });
  const end = values.minutes === undefined ? Infinity : Date.now() + Number(values.minutes) * 60000;
  const most = values.cases === undefined ? (end === Infinity ? 100 : Infinity) : Number(values.cases);
  const answers = new Answers(new Oracle(values.package));
  for (let i = 0; i < most && Date.now() < end; i += 1) {
    // Each case from a seed of its own: one that differs can be made again alone.
    const random = new Random(Math.imul(Number(values.seed), 0x9e3779b1) + i);
    for (const made of cases(random)) {
      const expect = answers.to(made);
      if (expect === null) continue;
      fs.writeSync(1, `${encode({ ...made.shown, expect })}\n`);
    }
  }
}

try {
  main();
} catch (error) {
  // The reader has gone.
  if (error.code !== 'EPIPE') throw error;
}
