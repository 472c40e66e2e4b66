import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FakeWorld, fakeHost, runCli } from '../../../test/transcripts/fake-host.js'
import { plainScreen } from '../../../test/transcripts/harness.js'
import { run } from './run.js'
import type { CommandEntry, CommandSpec } from './spec.js'

const KEY = 'sk-proj-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH'

/** A command that tells what it was given. */
const echo: CommandSpec = {
  description: 'It repeats what it was given.',
  arguments: [
    { name: 'ID', summary: 'the profile' },
    { name: 'MORE', summary: 'the rest', variadic: true, optional: true },
  ],
  options: [
    { flags: '--priority <N>', summary: 'a number' },
    { flags: '--mode <MODE>', summary: 'how', choices: ['api_key', 'token'] },
    { flags: '--stdin', summary: 'from standard input' },
    { flags: '--recipient <AGE>', summary: 'for whom', repeatable: true },
    { flags: '--no-browser', summary: 'do not open one' },
  ],
  examples: [{ line: 'keymux echo openai:work', does: 'repeats it' }],
  async run({ output, settings }, input) {
    output.document({
      id: input.argument('ID'),
      more: input.variadic('MORE'),
      priority: input.integer('priority'),
      mode: input.text('mode'),
      stdin: input.flag('stdin'),
      recipients: input.texts('recipient'),
      no_browser: input.flag('no-browser'),
      json: settings.json,
      quiet: settings.quiet,
      vault: settings.vault,
    })
    return undefined
  },
}

const slots: CommandSpec = {
  examples: [],
  async run({ output }) {
    output.text('slots')
    return 0
  },
}

const status: CommandSpec = {
  examples: [],
  async run({ output }) {
    output.text('status')
    return 3
  },
}

const COMMANDS: readonly CommandEntry[] = [
  { name: 'echo', summary: 'repeat what is given', section: 'Tests', load: async () => echo },
  {
    name: 'vault',
    summary: 'the vault itself',
    section: 'Vault',
    load: async () => ({
      defaultSubcommand: 'status',
      subcommands: [
        { name: 'status', summary: 'how it is', load: async () => status },
        { name: 'slots', summary: 'its slots', load: async () => slots },
      ],
      examples: [{ line: 'keymux vault slots', does: 'lists them' }],
    }),
  },
  {
    name: 'secret',
    summary: 'named secrets',
    load: async () => ({
      subcommands: [{ name: 'list', summary: 'their names', load: async () => slots }],
      examples: [],
    }),
  },
]

const cli = (line: string, world: FakeWorld = {}) =>
  runCli(line === '' ? [] : line.split(' '), { commands: COMMANDS, ...world })

const given = async (line: string, world?: FakeWorld) => JSON.parse((await cli(line, world)).stdout)

describe('global flags', () => {
  it.each([
    '--json --vault a.db echo x',
    'echo --json x --vault a.db',
    'echo x --json --vault=a.db',
    '--json echo x --vault a.db',
  ])('count wherever they stand: %s', async (line) => {
    expect(await given(line)).toMatchObject({ id: 'x', json: true, vault: '/work/a.db' })
  })

  it('the later one wins, flags win over the environment, the environment over the default', async () => {
    expect(await given('--vault a.db echo x --vault b.db')).toMatchObject({ vault: '/work/b.db' })
    const env = { KEYMUX_VAULT: '/srv/v.db' }
    expect(await given('echo x', { env })).toMatchObject({ vault: '/srv/v.db' })
    expect(await given('echo x --vault c.db', { env })).toMatchObject({ vault: '/work/c.db' })
    expect(await given('echo x')).toMatchObject({ vault: '/home/ada/.local/share/keymux/vault.db' })
  })

  it('are understood in front of and behind a subcommand', async () => {
    expect((await cli('--quiet vault --json slots')).stdout).toBe('slots\n')
  })

  it('end at -- behind the command', async () => {
    expect(await given('-- echo x')).toMatchObject({ id: 'x' })
    expect(await given('echo x -- --json --unknown -z')).toMatchObject({
      json: false,
      more: ['--json', '--unknown', '-z'],
    })
  })
})

describe('arguments and options', () => {
  it('arrive in the names of the spec', async () => {
    expect(
      await given('echo a b c --priority -5 --mode token --recipient r1 --recipient r2 --no-browser'),
    ).toEqual({
      id: 'a',
      more: ['b', 'c'],
      priority: -5,
      mode: 'token',
      stdin: false,
      recipients: ['r1', 'r2'],
      no_browser: true,
      json: false,
      quiet: false,
      vault: '/home/ada/.local/share/keymux/vault.db',
    })
  })

  it('a group runs its default, and gives the status of what it ran', async () => {
    expect(await cli('vault')).toMatchObject({ code: 3, stdout: 'status\n' })
    expect(await cli('vault --json')).toMatchObject({ code: 3 })
  })

  it.each([
    ['', 'ech x', 'unknown command "ech": did you mean echo?'],
    ['', 'nonsense', 'unknown command "nonsense": see keymux --help'],
    ['', 'vault slot', 'unknown command "slot": did you mean slots?'],
    ['', 'secret', 'secret wants a subcommand: see keymux secret --help'],
    ['', 'echo', 'missing required argument "ID": see keymux echo --help'],
    ['', 'echo x --jsn', 'unknown option --jsn: did you mean --json?'],
    ['', 'echo x --prio 3', 'unknown option --prio: see keymux echo --help'],
    ['', 'vault slots x', 'too many arguments for "slots". Expected 0 arguments but got 1'],
    ['', 'echo x --priority', 'option "--priority <N>" argument missing'],
    ['', 'echo x --priority 1.5', '--priority wants a whole number, not "1.5"'],
    ['', 'echo x --mode magic', 'is invalid. Allowed choices are api_key, token'],
    ['', 'echo x --quiet --verbose', '--quiet and --verbose cannot be used together'],
    ['', '--foo echo x', 'unknown option --foo'],
    ['', '--foo', 'unknown option --foo'],
    ['', '- echo', 'unknown command "-"'],
    ['', 'constructor', 'unknown command "constructor"'],
    ['', 'echo x --vault=', '--vault is empty'],
    ['', 'echo x --vault mysql://h/d', 'a vault cannot be at a "mysql://" URL'],
  ])('%s%s', async (_, line, message) => {
    const { code, stdout, stderr } = await cli(line)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^keymux: .*\n$/)
    expect(stderr).toContain(message)

    const json = await cli(`${line} --json`.trim())
    if (line.endsWith('--priority')) return
    expect(json.stdout).toBe('')
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: { code: expect.stringMatching(/^(usage|invalid_value)$/) },
    })
    expect(json.stderr.trimEnd()).not.toContain('\n')
  })
})

describe('a key among the arguments', () => {
  it.each([
    [['echo', KEY]],
    [['echo', 'openai:work', KEY]],
    [['echo', `openai:${KEY}`]],
    [[KEY]],
    [['ech', KEY]],
    [['vault', KEY]],
    [['echo', '--api-key', KEY]],
    [['echo', 'x', '--json', KEY]],
  ])('%j is refused', async (argv) => {
    const { code, stdout, stderr } = await runCli(argv, { commands: COMMANDS })
    expect(code).toBe(2)
    expect(stderr).not.toContain(KEY.slice(0, 12))
    expect(stderr).toContain('--stdin')
    expect(stdout).toBe('')
  })

  it('has a code of its own', async () => {
    const { stderr } = await runCli(['echo', 'openai', KEY, '--json'], { commands: COMMANDS })
    expect(JSON.parse(stderr).error.code).toBe('secret_in_argv')
  })

  it.each([
    ['echo x --api-key=hunter2', 'there is no option --api-key'],
    ['echo x --token hunter2', 'there is no option --token'],
    ['echo x --passphrase=hunter2', 'there is no option --passphrase'],
    ['echo x -phunter2', 'unknown option -p'],
    ['echo x --zzz=hunter2', 'unknown option --zzz'],
    ['echo x --hunter2=1', 'unknown option'],
  ])('a value that no rule recognises is not echoed: %s', async (line, message) => {
    const { code, stderr } = await cli(line)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('hunter2')
  })

  it('is none of our business after --', async () => {
    expect((await runCli(['echo', 'x', '--', KEY], { commands: COMMANDS })).code).toBe(0)
  })
})

describe('any command line', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'echo',
      'vault',
      'slots',
      'secret',
      'help',
      '--',
      '-',
      '--json',
      '--vault',
      '-q',
      '-h',
      '-V',
    ),
    fc.constantFrom(
      '--mode',
      'token',
      '--priority',
      '5',
      '--no-browser',
      '--recipient',
      '-qv',
      '--json=1',
      '--quiet=no',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({ maxLength: 8 }).map((text) => `-${text}`),
    fc.string({ maxLength: 8 }).map((text) => `--${text}`),
  )

  it('is run, explained or refused in one line', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 7 }), async (argv) => {
        const { code, stdout, stderr } = await runCli(argv, { commands: COMMANDS })
        expect([0, 2, 3]).toContain(code)
        if (code === 2) {
          expect(stdout).toBe('')
          expect(stderr).toMatch(/^(keymux: [^\n]*|\{"error":\{"code":"(usage|invalid_value)".*\}\})\n$/)
        } else {
          expect(stdout).not.toBe('')
          expect(stderr).toBe('')
        }
      }),
      { numRuns: 600 },
    )
  })
})

describe('help', () => {
  it('of keymux groups the commands and shows where to start', async () => {
    for (const line of ['', '--help', '-h', 'help', '--quiet help']) {
      const { code, stdout, stderr } = await cli(line)
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' })
      expect(stdout).toContain('Start here:\n  keymux init')
      expect(stdout).toMatch(/Tests:\n +echo +repeat what is given/)
      expect(stdout).toContain('--vault <LOCATION>')
      expect(stdout.indexOf('Start here')).toBeLessThan(stdout.indexOf('--vault'))
    }
  })

  it('of a command explains it with an example', async () => {
    for (const line of ['echo --help', 'help echo', 'echo x -h']) {
      const { code, stdout } = await cli(line)
      expect(code).toBe(0)
      expect(stdout).toContain('Usage: keymux echo ID [MORE…] [options]')
      expect(stdout).toContain('Repeat what is given.\n\nIt repeats what it was given.')
      expect(stdout).toContain('Examples:\n  keymux echo openai:work  repeats it')
      expect(stdout).toContain('--mode <MODE>      how (one of api_key, token)')
      expect(stdout).toMatch(/Every command also takes .*--json/)
    }
  })

  it('of a group lists its commands', async () => {
    for (const line of ['vault --help', 'help vault']) {
      const { code, stdout } = await cli(line)
      expect(code).toBe(0)
      expect(stdout).toMatch(/status +how it is \(the default\)\n +slots +its slots/)
    }
    expect((await cli('help vault slots')).stdout).toContain('Usage: keymux vault slots')
  })

  it('fits the terminal', async () => {
    for (const columns of [80, 200]) {
      const { stdout } = await cli('--help', { columns })
      const bare = plainScreen(stdout)
      expect(Math.max(...bare.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns)
    }
  })

  it('is painted on a terminal alone', async () => {
    expect((await cli('--help')).stdout).not.toContain('\u001b')
    expect((await cli('--help', { columns: 80 })).stdout).toContain('\u001b[1m')
    expect((await cli('--help --no-color', { columns: 80 })).stdout).not.toContain('\u001b')
    expect((await cli('--help', { columns: 80, env: { NO_COLOR: '1' } })).stdout).not.toContain('\u001b')
  })

  it('of an unknown command is an error', async () => {
    expect(await cli('help ech')).toMatchObject({ code: 2 })
  })
})

describe('--version', () => {
  it.each(['--version', '-V', '--quiet --version'])('%s', async (line) => {
    expect(await cli(line)).toMatchObject({ code: 0, stdout: '1.2.3\n' })
  })
})

describe('errors of a command', () => {
  const failing = (error: unknown): CommandEntry => ({
    name: 'fail',
    summary: 'fail',
    load: async () => ({ examples: [], run: () => Promise.reject(error) }),
  })

  it('that nobody expected are internal, without a stack', async () => {
    const world = { commands: [failing(new TypeError(`x is undefined near ${KEY}\n    at foo.ts:1`))] }
    const text = await runCli(['fail'], world)
    expect(text.code).toBe(1)
    expect(text.stderr).toBe(
      'keymux: internal error: x is undefined near [redacted] at foo.ts:1: set KEYMUX_DEBUG=1 to see where\n',
    )
    const json = await runCli(['fail', '--json'], world)
    expect(JSON.parse(json.stderr).error.code).toBe('internal_error')
    expect((await runCli(['fail'], { ...world, env: { KEYMUX_DEBUG: '1' } })).stderr).toContain('TypeError')
  })

  it('are 130 when the command was interrupted', async () => {
    const { host, interrupt, outcome } = fakeHost()
    const waiting: CommandEntry = {
      name: 'wait',
      summary: 'wait',
      load: async () => ({
        examples: [],
        run: ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
            interrupt()
          }),
      }),
    }
    expect(outcome(await run(['wait'], host, [waiting]))).toMatchObject({
      code: 130,
      stderr: 'keymux: interrupted\n',
    })
  })
})
