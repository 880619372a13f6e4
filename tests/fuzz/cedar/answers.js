'use strict';
// The official answers to a case.
//
//   "policies", "schema", "entities": whether each is taken
//   "est": {policy id: its JSON}, "translation": the schema in JSON, "resolved": the same with
//     resolved types, false where one does not resolve, "policyJson": false where one policy in
//     JSON is refused, else the JSON of its text, or true
//   "invalid": ids of the policies that do not validate
//   "answers": for each request null where it is refused, else [decision, reasons, errors]

const { encode, RawJson } = require('./json.js');

const PREFIX = '{"type":"success","json":';

class Answers {
  constructor(oracle) {
    this.oracle = oracle;
    this.names = 0;
  }

  // Null where the official implementation broke down on the way.
  to(made) {
    const expect = {};
    const { shown } = made;
    const steps = [
      () => made.est === undefined || this.addDamagedEst(made, expect),
      () => shown.policies === undefined || this.addPolicies(made, expect),
      () => made.schema === undefined || this.addSchema(made, expect),
      () => shown.entities === undefined || this.addEntities(made, expect),
      () => shown.requests === undefined || this.addRequests(made, expect),
    ];
    return steps.every((step) => step()) ? expect : null;
  }

  // Members of the answer that are JSON, as text; null where the answer is a failure; undefined
  // where there was none.
  jsonOf(name, ...args) {
    const text = this.oracle.callRaw(name, ...args);
    if (text === null) return undefined;
    if (!text.startsWith(PREFIX)) return null;
    const warnings = text.lastIndexOf(',"warnings":[');
    return new RawJson(text.slice(PREFIX.length, warnings > 0 ? warnings : -1));
  }

  addPolicies({ shown, policySet, texts }, expect) {
    const parsed = policySet === undefined
      ? this.oracle.callText('policySetTextToParts', shown.policies)
      : this.oracle.call('checkParsePolicySet', policySet);
    if (parsed === null) return false;
    expect.policies = parsed.type === 'success';
    if (!expect.policies || !texts || texts.length === 0) return true;
    expect.est = {};
    for (const { id, text, isTemplate } of texts) {
      expect.est[id] = this.jsonOf(isTemplate ? 'templateToJson' : 'policyToJson', text);
      if (expect.est[id] === undefined) return false;
    }
    return true;
  }

  addDamagedEst({ shown, est, damage }, expect) {
    const name = est.includes('?principal') || est.includes('?resource') ? 'templateToJson' : 'policyToJson';
    const json = this.jsonOf(name, est);
    if (json === undefined || json === null) return false;
    shown.policyJson = damage(json.text);
    for (const reader of ['policyToJson', 'templateToJson']) {
      const taken = this.jsonOf(reader, new RawJson(shown.policyJson));
      if (taken === undefined) return false;
      expect.policyJson = taken !== null && this.throughText(reader, shown.policyJson);
      if (expect.policyJson !== false) return expect.policyJson !== undefined;
    }
    return true;
  }

  // A policy in JSON as the JSON of its text, since JSON alone is given back as it came; true where
  // that text is not taken.
  throughText(name, json) {
    const printed = this.oracle.call(name.replace('ToJson', 'ToText'), new RawJson(json));
    if (printed === null) return undefined;
    const again = printed.type === 'success' ? this.jsonOf(name, printed.text) : null;
    return again ?? true;
  }

  addSchema({ schema, translate }, expect) {
    const parsed = this.oracle.call('checkParseSchema', schema);
    if (parsed === null) return false;
    expect.schema = parsed.type === 'success';
    if (!translate || typeof schema !== 'string') return true;
    const json = this.jsonOf('schemaToJson', schema);
    // A schema that means nothing can still be translated; then there is nothing to compare.
    if (json !== null && expect.schema) expect.translation = json;
    const resolved = this.oracle.callText('schemaToJsonWithResolvedTypes', schema);
    if (json === undefined || resolved === null) return false;
    expect.resolved = resolved.type === 'success' && resolved.json;
    return true;
  }

  addEntities({ shown, schema }, expect) {
    if (expect.schema === false) return true;
    const entities = typeof shown.entities === 'string' ? new RawJson(shown.entities) : shown.entities;
    const parsed = this.oracle.call('checkParseEntities', { entities, schema: shown.lawless ? undefined : schema });
    if (parsed === null) return false;
    expect.entities = parsed.type === 'success';
    return true;
  }

  addRequests({ shown, policySet, schema }, expect) {
    if (!expect.policies) return true;
    if (expect.schema && !this.addValidation(policySet, schema, expect)) return false;
    if (!expect.entities) return true;
    // Fixed names: the package keeps what it parsed for good.
    if (!this.oracle.preparse('preparsePolicySet', 'set', policySet)) return false;
    if (!shown.lawless && !this.oracle.preparse('preparseSchema', 'schema', schema)) return false;
    expect.answers = [];
    for (const request of shown.requests) {
      const answer = this.answerTo(request, shown);
      if (answer === undefined) return false;
      expect.answers.push(answer);
    }
    return true;
  }

  addValidation(policies, schema, expect) {
    const result = this.oracle.call('validate', { policies, schema });
    if (result === null) return false;
    if (result.type === 'success') {
      expect.invalid = [...new Set(result.validationErrors.map((one) => one.policyId))].sort();
    }
    return true;
  }

  answerTo([principal, action, resource, context], { lawless, entities }) {
    const result = this.oracle.call('statefulIsAuthorized', {
      principal, action, resource, context, entities,
      preparsedPolicySetId: 'set',
      preparsedSchemaName: lawless ? undefined : 'schema',
      validateRequest: !lawless,
    });
    if (result === null) return undefined;
    if (result.type !== 'success') return null;
    const { decision, diagnostics } = result.response;
    return [decision, diagnostics.reason.sort(), diagnostics.errors.map((one) => one.policyId).sort()];
  }
}

module.exports = { Answers };
