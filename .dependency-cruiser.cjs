// Cycles are Biome's business (noImportCycles): it tells imports of types from imports that run.
// Data flows one way through src: every layer may import the layers named for it here and nothing else of src.
const domain = ['domain']
const LAYERS = {
  domain: [],
  policy: domain,
  providers: domain,
  crypto: domain,
  storage: domain,
  oauth: domain,
  config: domain,
  interchange: domain,
}
LAYERS.vault = Object.keys(LAYERS)
LAYERS.profiles = Object.keys(LAYERS)
LAYERS.logins = Object.keys(LAYERS)
LAYERS.resolver = Object.keys(LAYERS)
LAYERS.transport = Object.keys(LAYERS)
LAYERS.operations = Object.keys(LAYERS)
LAYERS.system = Object.keys(LAYERS)
LAYERS.surfaces = Object.keys(LAYERS)
LAYERS.compat = LAYERS.resolver

const TESTS = '[.]test[.]ts$'

// A program's first file puts its surface together with compose.ts and with the surfaces it starts.
const PROGRAMS = '^src/surfaces/[^/]+/main[.]ts$'

/** A folder of src, without its tests. */
const layer = (name) => ({ path: `^src/${name}/`, pathNot: [TESTS, PROGRAMS] })

const arrows = Object.entries(LAYERS).map(([name, allowed]) => ({
  name: `arrows-${name}`,
  comment: `src/${name} may import ${[name, ...allowed].join(', ')}, and nothing else of src.`,
  severity: 'error',
  from: layer(name),
  to: { path: '^src/', pathNot: `^src/(${[name, ...allowed].join('|')})/` },
}))

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: 'known-folder',
      comment: 'Every folder of src has a place in the layers; tell this file about a new one.',
      severity: 'error',
      from: {
        path: '^src/[^/]+/',
        pathNot: [`^src/(${[...Object.keys(LAYERS), 'testing', 'entries'].join('|')})/`, TESTS],
      },
      to: {},
    },
    {
      name: 'surfaces-stand-alone',
      comment: 'One surface never imports another; what two of them need belongs to a layer below.',
      severity: 'error',
      from: { path: '^src/surfaces/([^/]+)/', pathNot: [TESTS, PROGRAMS] },
      to: { path: '^src/surfaces/', pathNot: '^src/surfaces/$1/' },
    },
    {
      name: 'pure-layers',
      comment: "domain and policy do no I/O: they import none of Node's modules and no package.",
      severity: 'error',
      from: { path: '^src/(domain|policy)/', pathNot: TESTS },
      to: { dependencyTypesNot: ['local'] },
    },
    {
      name: 'testing-stays-apart',
      comment: 'src/testing is for its own entry point and for tests.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/testing/', '^src/entries/testing[.]ts$', TESTS] },
      to: { path: '^src/testing/' },
    },
    {
      name: 'no-dev-dependencies',
      comment: 'What ships may import only what users get: dependencies, not devDependencies.',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-tests',
      comment: 'Nothing that ships imports a test or its helpers.',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { path: ['^test/', TESTS] },
    },
  ],
  options: {
    // Tests may import anything; and the parser does not know `await using`, which they do.
    exclude: { path: '\\.test\\.ts$' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
}
