import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Fixture, type Outcome } from './fixture.js'

const CODES = 'export const ERROR_CODES = { usage: 2, conflict: 7 } as const\n'
const MARKS = [
  '<!-- begin: generated from src/domain/errors.ts, the meanings apart -->',
  '<!-- end: generated -->',
] as const
const ROWS =
  '| code | exit | meaning |\n|---|---|---|\n| `usage` | 2 | Not understood. |\n| `conflict` | 7 | Too late. |'

// Answers --help as the real program does: an overview, and each command's own flags.
const FAKE_CLI = `
const [command, ...rest] = process.argv.slice(2)
if (rest.some((word) => /^-/.test(word) && word !== '--help')) require('node:fs').writeFileSync('ran', '')
if (command === '--help') console.log('Commands:\\n  list [PROVIDER]  profiles\\n  exec ID -- CMD  run\\n\\nOptions:\\n  --vault <V>\\n  --json')
else if (command === 'list') console.log('  --enabled  only these')
else if (command === 'exec') console.log('  --gateway  through it')
else process.exitCode = 2
`

function fixtureOf(files: Record<string, string>): Fixture {
  const fixture = new Fixture({
    'package.json': '{"type":"module","scripts":{"demo":"true"}}',
    'src/domain/errors.ts': CODES,
    'docs/errors.md': `# Errors\n${MARKS[0]}\n${ROWS}\n${MARKS[1]}\n`,
    'dist/cli.cjs': FAKE_CLI,
    ...files,
  })
  fixture.copy(
    ...['docs-check', 'docs-cli', 'docs-providers', 'entries', 'processes'].map(
      (name) => `scripts/${name}.mjs`,
    ),
  )
  fixture.linkPackages()
  return fixture
}

function check(fixture: Fixture, ...args: string[]): Promise<Outcome> {
  return fixture.node(['scripts/docs-check.mjs', ...args])
}

const fenced = (...lines: string[]): string => `# Use\n\`\`\`sh\n${lines.join('\n')}\n\`\`\`\n`

test('true pages pass', async () => {
  const readme = fenced(
    'npm run demo && npm test',
    '$ keymux list openai --enabled --json   # all of them',
    'KEYMUX_VAULT=x keymux --vault y list | keymux exec a:b -- curl --anything',
    'keymux exec a:b \\',
    '  --gateway -- npm start',
  )
  const fixture = fixtureOf({
    'README.md': `${readme}[errors](docs/errors.md#x) [site](https://example.com)\n`,
    'src/env.ts': "export const name: string = 'KEYMUX_VAULT'\n",
  })
  expect(await check(fixture)).toEqual({ code: 0, output: '' })
})

test('commands, flags, scripts, variables and links that do not exist are found', async () => {
  const readme = fenced(
    'keymux lst',
    'keymux list --enable',
    'npm run dmo',
    'echo x | keymux exec a:b --json --gate',
  )
  const fixture = fixtureOf({
    'README.md': `${readme}KEYMUX_OLD [gone](docs/gone.md)\n`,
    'src/env.ts': "export const name: string = 'KEYMUX_NEW'\n",
  })
  const { code, output } = await check(fixture)
  expect(code).toBe(1)
  expect(output.trimEnd().split('\n')).toEqual([
    'README.md:3: keymux has no command lst',
    'README.md:4: keymux list has no --enable',
    'README.md:5: there is no script dmo',
    'README.md:6: keymux exec has no --gate',
    'KEYMUX_NEW is not documented anywhere',
    'KEYMUX_OLD is documented, but nothing reads it',
    'README.md: there is no docs/gone.md',
  ])
  // `list --enable --help` might take the word for the value of an option, and do something.
  expect(existsSync(path.join(fixture.root, 'ran'))).toBe(false)
})

test('the table of error codes follows the source and keeps the meanings', async () => {
  const fixture = fixtureOf({
    'docs/errors.md': `# Errors\n${MARKS[0]}\n| \`conflict\` | 9 | Too late. |\n| \`gone\` | 1 | Was. |\n${MARKS[1]}\nend\n`,
  })
  expect((await check(fixture)).output).toContain('docs/errors.md is not up to date; run: npm run fix\n')
  expect(await check(fixture, '--write')).toEqual({
    code: 1,
    output: 'docs/errors.md: usage has no meaning yet, write one\n',
  })
  const page = path.join(fixture.root, 'docs/errors.md')
  const written = readFileSync(page, 'utf8')
  expect(written).toContain('| `usage` | 2 |  |\n| `conflict` | 7 | Too late. |\n')
  expect(written).not.toContain('gone')
  fixture.write('docs/errors.md', written.replace('| 2 |  |', '| 2 | Not understood. |'))
  expect((await check(fixture)).code).toBe(0)
})

const CLI_PAGE = `# Commands
<!-- begin: global options -->
<!-- end: generated -->
<!-- begin: commands, the last column apart -->
| \`keymux old\` | \`{gone}\` |
| \`keymux vault status\` | \`{open}\` |
<!-- end: generated -->
<!-- begin: commands -->
<!-- end: generated -->
`
const REGISTRY = `
const status = {
  description: 'Wrapped\\nby hand.',
  arguments: [{ name: 'ID', summary: 'a | b', variadic: true }],
  options: [{ flags: '-m, --mode <MODE>', summary: 'how', choices: ['x', 'y'], repeatable: true }],
  examples: [{ line: 'keymux vault status a', does: 'looks' }],
  run: async () => undefined,
}
const vault = {
  defaultSubcommand: 'status',
  subcommands: [{ name: 'status', summary: 'look at it', load: async () => status }],
  examples: [],
}
const list = { arguments: [{ name: 'PROVIDER', summary: 'one', optional: true }], examples: [{ line: 'keymux list', does: 'all' }] }
export const COMMANDS: readonly object[] = [
  { name: 'list', summary: 'list them', load: async () => list },
  { name: 'vault', summary: 'the vault', load: async () => vault },
]
`

test('the page of commands is made from the commands and keeps what is written by hand', async () => {
  const fixture = fixtureOf({
    'docs/cli.md': CLI_PAGE,
    'src/surfaces/cli/registry.ts': REGISTRY,
    'src/surfaces/cli/settings.ts':
      "export const GLOBAL_OPTIONS: readonly object[] = [{ flags: '--json', summary: 'print JSON' }]\n",
    'dist/cli.cjs': FAKE_CLI.replace('  exec ID', '  vault V\\n  exec ID').replace(
      "if (command === 'exec')",
      "if (command === 'vault') console.log('  status')\nelse if (command === 'exec')",
    ),
  })
  expect((await check(fixture)).output).toContain('docs/cli.md is not up to date; run: npm run fix\n')
  expect(await check(fixture, '--write')).toEqual({
    code: 1,
    output: 'docs/cli.md: keymux list has no JSON yet, write one\n',
  })
  const page = path.join(fixture.root, 'docs/cli.md')
  const written = readFileSync(page, 'utf8')
  expect(written).toBe(`# Commands
<!-- begin: global options -->
| option | what |
|---|---|
| \`--json\` | print JSON |
<!-- end: generated -->
<!-- begin: commands, the last column apart -->
| command | with \`--json\` |
|---|---|
| \`keymux list\` |  |
| \`keymux vault status\` | \`{open}\` |
<!-- end: generated -->
<!-- begin: commands -->
### \`keymux list [PROVIDER]\`

List them.

| argument | what |
|---|---|
| \`PROVIDER\` | one |

\`\`\`sh
keymux list  # all
\`\`\`

### \`keymux vault\`

The vault. Without a subcommand: \`keymux vault status\`.

### \`keymux vault status ID…\`

Look at it.

Wrapped by hand.

| argument | what |
|---|---|
| \`ID\` | a \\| b |

| option | what |
|---|---|
| \`-m, --mode MODE\` | how: \`x\`, \`y\`; may be repeated |

\`\`\`sh
keymux vault status a  # looks
\`\`\`
<!-- end: generated -->
`)
  fixture.write('docs/cli.md', written.replace('list` |  |', 'list` | `{all}` |'))
  expect(await check(fixture)).toEqual({ code: 0, output: '' })
  fixture.write('docs/cli.md', '# Commands\n')
  expect((await check(fixture)).output).toContain(
    'docs/cli.md: the marks around the generated part are missing\n',
  )
})

test('the table of providers follows from their definitions', async () => {
  const provider = {
    name: 'acme',
    label: 'Acme',
    docs: 'https://docs.acme.example',
    baseUrl: 'https://api.acme.example',
    auth: { header: 'authorization', prefix: 'Token' },
    envKey: 'ACME_API_KEY',
    envAliases: ['ACME_TOKEN'],
    check: { method: 'GET', path: '/me' },
    failureFamily: 'relay',
  }
  const fixture = fixtureOf({
    'docs/providers.md': '# Providers\n<!-- begin: built-in providers -->\n<!-- end: generated -->\n',
    'src/providers/catalogue.ts': `export const CATALOGUE = [${JSON.stringify(provider)}]\n`,
  })
  expect(await check(fixture)).toMatchObject({
    code: 1,
    output: expect.stringContaining('docs/providers.md is not up to date; run: npm run fix'),
  })
  expect((await check(fixture, '--write')).code).toBe(0)
  expect(readFileSync(path.join(fixture.root, 'docs/providers.md'), 'utf8')).toContain(
    '| [`acme`](https://docs.acme.example) Acme | `https://api.acme.example` | `Authorization: Token` | `ACME_API_KEY`, `ACME_TOKEN` | – | `GET /me` | relay |\n',
  )
  expect((await check(fixture)).code).toBe(0)
})
