import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { ERROR_CODES } from '../../src/domain/errors.js'
import { COMMANDS } from '../../src/surfaces/cli/registry.js'
import { makeCliVault } from '../support/cli-vault.js'

const vault = makeCliVault()
afterAll(() => vault.dispose())

const MARKER = 'sk-marker-4f9b1c7d2e8a6b3c5d7e9f1a2b4c6d8e'
// These would run other programs, serve, or wait for a person; they have tests of their own.
const LEFT_OUT = ['exec', 'serve', 'mcp', 'login']
const NAMES = COMMANDS.map((command) => command.name).filter((name) => !LEFT_OUT.includes(name))

const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      'openai:a',
      'openai',
      'groq:x',
      'failure',
      'success',
      'set',
      'get',
      'list',
      'show',
      'check',
      'slots',
      'status',
      'bash',
      'path',
      '--json',
      '--stdin',
      '--mode',
      'token',
      '--priority',
      '-5',
      '--strict',
      '--model',
      'gpt-4o',
      '--status',
      '429',
      '--retry-after',
      '--reason',
      'billing',
      '--all',
      '--yes',
      '--quiet',
      '--',
      '-',
      '--replace',
      '--from-env',
      'MARKED',
      '--prefer',
      'type',
      '--verbose',
      '--help',
      '--no-color',
      '--format',
      'dotenv',
      'json',
    ),
  },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '__proto__',
      'constructor',
      '../../etc/passwd',
      'a'.repeat(5_000),
      '‮evil',
      '\u001b[2J',
      'openai:🔑',
      ':',
      '::',
      '=',
      '--x=y',
    ),
  },
)

const statuses = new Set<number>([0, ...Object.values(ERROR_CODES)])

describe('any arguments at all', () => {
  test('end with a documented status, one line of error, no stack and no secret', async () => {
    await vault.run(['add', 'openai:a', '--stdin'], { stdin: MARKER })
    await fc.assert(
      fc.asyncProperty(
        fc.array(word, { maxLength: 7 }),
        fc.string({ maxLength: 30 }),
        async (argv, stdin) => {
          // Watching never ends by itself.
          if (argv.includes('--watch') || argv.includes('-w')) return
          const { code, stdout, stderr } = await vault.run(argv, { stdin, env: { MARKED: MARKER } })
          expect(statuses).toContain(code)
          expect(stderr).not.toMatch(/internal|\n\s+at /)
          if (code !== 0)
            expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(argv.includes('--json') ? 1 : 4)
          const asked = ['resolve', 'env', 'show', 'get', 'secret', 'export'].some((name) =>
            argv.includes(name),
          )
          expect(stderr).not.toContain(MARKER)
          if (!asked) expect(stdout).not.toContain(MARKER)
        },
      ),
      { numRuns: 600 },
    )
  }, 120_000)
})
