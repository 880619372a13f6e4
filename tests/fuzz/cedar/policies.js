'use strict';
// Policies, templates and links for a world, as Cedar text.

const { Expressions } = require('./expression.js');
const { quote, randomString } = require('./values.js');

const ANNOTATIONS = ['id', 'ask', 'if', 'note', 'permit'];

class Policies {
  constructor(world) {
    this.world = world;
    this.random = world.random;
    // Most policies of a set are about one kind of request, so that they meet.
    this.mainEnv = world.randomEnv();
  }

  // {id, text, isTemplate, slots}
  policy(id, isTemplate) {
    const { random } = this;
    const env = random.chance(0.7) ? this.mainEnv : this.world.randomEnv();
    this.expressions = new Expressions(this.world, env);
    const slots = isTemplate ? random.pick([['principal'], ['resource'], ['principal', 'resource']]) : [];
    const scope = [
      this.entityScope('principal', env.principal, slots),
      this.actionScope(env.action),
      this.entityScope('resource', env.resource, slots),
    ].join(random.pick([', ', ',\n  ', ' , ']));
    const effect = random.chance(0.6) ? 'permit' : 'forbid';
    const text = `${this.annotations()}${effect} (${scope}${random.chance(0.1) ? ',' : ''})${this.conditions()};`;
    return { id, text, isTemplate, slots, env };
  }

  annotations() {
    return this.random.some(ANNOTATIONS, 0.1)
      .map((key) => (this.random.chance(0.3) ? `@${key} ` : `@${key}(${quote(this.random, randomString(this.random))})\n`))
      .join('');
  }

  conditions() {
    const { random } = this;
    return random.times(random.pick([0, 1, 1, 1, 1, 2]), () => {
      const kind = random.chance(0.75) ? 'when' : 'unless';
      return ` ${kind} { ${this.expressions.condition(random.between(0, 4))} }`;
    }).join(random.chance(0.1) ? ' // and\n' : '');
  }

  entityScope(variable, name, slots) {
    const { random, world } = this;
    const slot = slots.includes(variable);
    const entity = (type) => (slot ? `?${variable}` : this.expressions.entity(type));
    const wanted = random.chance(0.95) ? name : random.pick(world.names);
    const above = random.pick([...world.typeOf(wanted).parents, wanted]);
    return random.weighted([
      [slot ? 0 : 8, () => variable],
      [2, () => `${variable} == ${entity(wanted)}`],
      [3, () => `${variable} in ${entity(above)}`],
      [slot ? 0 : 6, () => `${variable} is ${world.fullName(wanted)}`],
      [2, () => `${variable} is ${world.fullName(wanted)} in ${entity(above)}`],
    ]);
  }

  actionScope(id) {
    const { random, world } = this;
    const uid = (action) => this.expressions.uid('Action', action);
    const ids = world.actions.map((action) => action.id);
    return random.weighted([
      [4, () => 'action'],
      [7, () => `action == ${uid(id)}`],
      [2, () => `action in ${uid(random.pick(ids))}`],
      [2, () => `action in [${[id, ...random.some(ids, 0.2)].map(uid).join(', ')}]`],
      [random.chance(0.2) ? 1 : 0, () => `action == ${uid('none')}`],
    ]);
  }

  // {policies: [policy …], links: [{templateId, newId, values}]}
  set() {
    const { random } = this;
    const policies = random.times(random.between(2, 9), (i) => this.policy(`policy${i}`, random.chance(0.15)));
    const links = [];
    for (const template of policies.filter((one) => one.isTemplate)) {
      for (let i = random.below(3); i > 0; i -= 1) links.push(this.link(template, `link${links.length}`));
    }
    return { policies, links };
  }

  link(template, newId) {
    const { random, world } = this;
    const values = {};
    for (const slot of template.slots) {
      const name = random.chance(0.85) ? template.env[slot] : random.pick(world.names);
      values[`?${slot}`] = world.uidJson(name, world.randomId(name));
    }
    if (random.chance(0.02)) delete values[`?${template.slots[0]}`];
    if (random.chance(0.02)) values['?resource'] = world.uidJson(world.names[0], 'a');
    return { templateId: template.id, newId: random.chance(0.01) ? 'policy0' : newId, values };
  }
}

module.exports = { Policies };
