// Data flows one way through src: every room may import the rooms named for it here and nothing else of src.
const ROOMS = { domain: [], egress: ['domain'] }
// Siblings: none knows another.
for (const room of ['policy', 'providers', 'crypto', 'storage', 'oauth', 'config', 'interchange']) {
  ROOMS[room] = ['domain']
}
// What owners say of failures is read alike in the config and in a provider's declaration.
ROOMS.rules = ['domain']
ROOMS.providers.push('rules')
ROOMS.config.push('rules')
// What is said to authorization servers leaves the machine by the same way as everything else.
ROOMS.oauth.push('egress')
// Each stands on all before it.
for (const room of ['vault', 'profiles', 'logins', 'resolver', 'transport', 'operations', 'surfaces']) {
  ROOMS[room] = Object.keys(ROOMS)
}
// Beside the others: nobody but those who put keymux together imports them.
ROOMS.compat = ROOMS.resolver
ROOMS.system = ROOMS.profiles
// The command line asks the machine itself; which surface may import which is a rule of its own, below.
ROOMS['surfaces/cli'] = [...ROOMS.surfaces, 'surfaces', 'system']

const TESTS = '[.]test[.]ts$'

// A program's first file puts its surface together with compose.ts and with the surfaces it starts.
const PROGRAMS = '^src/surfaces/[^/]+/main[.]ts$'

/** A folder of src, without its tests and without the folders in it that have a line of their own. */
const room = (name) => ({
  path: `^src/${name}/`,
  pathNot: [
    TESTS,
    PROGRAMS,
    ...Object.keys(ROOMS)
      .filter((each) => each.startsWith(`${name}/`))
      .map((each) => `^src/${each}/`),
  ],
})

const arrows = Object.entries(ROOMS).map(([name, allowed]) => ({
  name: `arrows-${name.replace('/', '-')}`,
  comment: `src/${name} may import ${[name, ...allowed].join(', ')}, and nothing else of src.`,
  severity: 'error',
  from: room(name),
  to: { path: '^src/', pathNot: `^src/(${[name, ...allowed].join('|')})/` },
}))

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: 'known-folder',
      comment: 'Every folder of src is a room of the table; tell this file about a new one.',
      severity: 'error',
      from: {
        path: '^src/[^/]+/',
        pathNot: [`^src/(${[...Object.keys(ROOMS), 'testing', 'entries'].join('|')})/`, TESTS],
      },
      to: {},
    },
    {
      name: 'no-circles',
      comment:
        'No file leads back to itself, not by types either. (Biome finds circles of running code as well.)',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'system-is-handed-in',
      comment:
        'compose.ts and the command line know the machine; everybody else is given what he needs of it.',
      severity: 'error',
      from: { path: '^src/[^/]+$', pathNot: ['^src/compose[^/]*$', TESTS] },
      to: { path: '^src/system/' },
    },
    {
      name: 'compat-stays-apart',
      comment: 'src/compat is for compose and index.',
      severity: 'error',
      from: { path: ['^src/(entries|testing)/', PROGRAMS], pathNot: TESTS },
      to: { path: '^src/compat/' },
    },
    {
      name: 'entries-stand-above',
      comment: 'Nothing imports an entry point.',
      severity: 'error',
      from: { path: ['^src/[^/]+$', '^src/testing/', PROGRAMS], pathNot: TESTS },
      to: { path: '^src/entries/' },
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
