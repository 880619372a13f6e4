'use strict';
// The official implementation: the npm package @cedar-policy/cedar-wasm.

const fs = require('node:fs');
const path = require('node:path');
const { encode } = require('./json.js');

const WANTED = '4.12.0';
const FAILURE = '{"type":"failure"}';

function findPackage(directory) {
  const places = [process.cwd(), __dirname, ...(directory ? [directory] : [])];
  return require.resolve('@cedar-policy/cedar-wasm/nodejs', { paths: places.reverse() });
}

// The package talks to its WebAssembly half by JSON.stringify and JSON.parse, which lose digits
// beyond 2^53. It gets a JSON of its own that passes texts through.
function instantiate(file) {
  const passThrough = { stringify: (text) => text, parse: (text) => text };
  const module = { exports: {} };
  const source = fs.readFileSync(file, 'utf8');
  const load = new Function('exports', 'require', 'module', '__filename', '__dirname', 'JSON', source);
  load(module.exports, require, module, file, path.dirname(file), passThrough);
  return module.exports;
}

class Oracle {
  // `directory` is where the package is installed, if not where node looks by itself.
  constructor(directory) {
    this.file = findPackage(directory);
    this.restart();
    const version = this.instance.getCedarVersion();
    if (version !== WANTED) throw new Error(`cedar ${WANTED} is wanted, ${version} is installed`);
  }

  restart() {
    this.instance = instantiate(this.file);
  }

  // The answer as text; null where the official implementation broke down, which it does where
  // its stack ends. `args` are JSON values; what is no JSON is answered with a failure.
  callRaw(name, ...args) {
    return this.guarded(() => this.instance[name](...args.map(encode)));
  }

  // After a breakdown the instance is not to be trusted: it starts anew, and what was preparsed is
  // gone. A plain Error only says that the argument could not be read.
  guarded(work) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof WebAssembly.RuntimeError)) return FAILURE;
      this.restart();
      return null;
    }
  }

  call(name, ...args) {
    const text = this.callRaw(name, ...args);
    return text === null ? null : JSON.parse(text);
  }

  // For the two functions whose first argument is a name: whether it worked.
  preparse(name, key, value) {
    const text = this.guarded(() => this.instance[name](key, encode(value)));
    return text !== null && JSON.parse(text).type === 'success';
  }

  // For functions that take Cedar text itself.
  callText(name, text) {
    const answer = this.guarded(() => this.instance[name](text));
    return answer === null ? null : JSON.parse(answer);
  }
}

module.exports = { Oracle };
