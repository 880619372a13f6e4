'use strict';
// What is asked. A case is {shown, policySet, schema, entities}: `shown` is what the line says, the
// others are the same as the official implementation takes them.

const { encode, RawJson } = require('./json.js');
const { JSON_PIECES, POLICY_PIECES, SCHEMA_PIECES, mutate } = require('./mutate.js');
const { mutateJson } = require('./mutate_json.js');
const { Policies } = require('./policies.js');
const { SchemaWriter } = require('./schema.js');
const { World } = require('./world.js');

// How the package takes policies: by id, static ones apart from templates.
function policySetOf({ policies, links }) {
  const byId = (list) => Object.fromEntries(list.map(({ id, text }) => [id, text]));
  return {
    staticPolicies: byId(policies.filter((one) => !one.isTemplate)),
    templates: byId(policies.filter((one) => one.isTemplate)),
    templateLinks: links,
  };
}

// How the official command line takes links.
function linkShown({ templateId, newId, values }) {
  const args = Object.entries(values).map(([slot, { type, id }]) => [slot, `${type}::"${escape(id)}"`]);
  return { template_id: templateId, link_id: newId, args: Object.fromEntries(args) };
}

function escape(id) {
  return id.replace(/[\\"]/g, '\\$&');
}

// Requests put to a set of policies. `loose`: how often data does not fit the schema.
function authorization(random) {
  const world = new World(random);
  const set = new Policies(world).set();
  const withSchema = random.chance(0.6);
  const asJson = random.chance(0.3);
  const writer = new SchemaWriter(world);
  const schema = asJson ? writer.json() : writer.text();
  const loose = random.pick([0, 0, 0, 0.01, 0.1]);
  const entities = world.entitiesJson(withSchema, withSchema ? loose / 10 : loose);
  const envs = [...set.policies.map((one) => one.env), world.randomEnv()];
  const requests = random.times(random.between(24, 48), () => world.requestJson(random.pick(envs), withSchema, loose));
  return {
    shown: {
      policies: set.policies.map((one) => one.text).join('\n'),
      links: set.links.length > 0 ? set.links.map(linkShown) : undefined,
      [asJson ? 'schemaJson' : 'schema']: schema,
      lawless: withSchema ? undefined : true,
      entities,
      requests,
    },
    policySet: policySetOf(set),
    texts: random.chance(0.15) ? set.policies : [],
    schema,
    translate: random.chance(0.15),
  };
}

// Damage to JSON: mostly within it, sometimes to its text.
function damageJson(random, text) {
  return random.chance(0.7) ? mutateJson(random, text) : mutate(random, text, JSON_PIECES);
}

// One text, damaged: is it still taken?
function damaged(random) {
  const world = new World(random);
  const policies = new Policies(world);
  const writer = new SchemaWriter(world);
  return random.weighted([
    [4, () => ({ shown: { policies: mutate(random, policies.policy('policy0', random.chance(0.2)).text, POLICY_PIECES) } })],
    [3, () => {
      const schema = mutate(random, writer.text(), SCHEMA_PIECES);
      return { shown: { schema }, schema, translate: true };
    }],
    [2, () => {
      const schema = damageJson(random, encode(writer.json()));
      return { shown: { schemaJson: schema }, schema: new RawJson(schema), translate: true };
    }],
    [2, () => ({ shown: { entities: damageJson(random, encode(world.entitiesJson(false, 0))) } })],
    [2, () => {
      const schema = writer.text();
      return { shown: { schema, entities: damageJson(random, encode(world.entitiesJson(true, 0))) }, schema };
    }],
    [3, () => ({ shown: {}, est: policies.policy('policy0', random.chance(0.2)).text, damage: (text) => damageJson(random, text) })],
  ]);
}

function cases(random) {
  return [authorization(random), ...random.times(6, () => damaged(random))];
}

module.exports = { cases };
