import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FakeWorld, runCli } from '../../../../test/transcripts/fake-host.js'
import {
  bundleProgram,
  makeSandbox,
  plainScreen,
  removeSandbox,
  terminalSession,
} from '../../../../test/transcripts/harness.js'
import type { CommandEntry } from '../spec.js'

const leaf = { examples: [], run: async () => undefined }
const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'add',
    summary: 'add an account',
    load: async () => ({
      ...leaf,
      arguments: [{ name: 'PROVIDER[:NAME]', summary: 'what', completes: 'provider' }],
      options: [
        { flags: '--mode <MODE>', summary: 'how', choices: ['api_key', 'oauth', 'token'] },
        { flags: '--from-env <VAR>', summary: 'from where', completes: 'env' },
        { flags: '-f, --file <PATH>', summary: 'a file', completes: 'file' },
        { flags: '--stdin', summary: 'from stdin' },
      ],
    }),
  },
  {
    name: 'vault',
    summary: 'the vault itself',
    load: async () => ({
      examples: [],
      subcommands: [
        { name: 'status', summary: 'how it is', load: async () => leaf },
        { name: 'slots', summary: 'its slots', load: async () => leaf },
      ],
    }),
  },
  {
    name: 'remove',
    summary: 'remove accounts',
    load: async () => ({
      ...leaf,
      arguments: [{ name: 'ID', summary: 'which', variadic: true, completes: 'provider' }],
    }),
  },
]

/** What is offered for the last word of a line. */
async function offered(line: string, shell = 'zsh', world: FakeWorld = {}) {
  const words = line.split(' ')
  const { stdout } = await runCli(['__complete', shell, String(words.length - 1), '--', ...words], {
    commands: COMMANDS,
    env: { MY_KEY: 'x', HOME: '/h' },
    ...world,
  })
  const [kind, ...lines] = stdout.trimEnd().split('\n')
  return { kind, values: lines.map((candidate) => candidate.split('\t')[0]), lines }
}

describe('completion', () => {
  it.each([
    ['', ['add', 'vault', 'remove']],
    ['a', ['add']],
    ['x', []],
    ['vault ', ['status', 'slots']],
    ['vault sl', ['slots']],
    ['vault status ', []],
    ['--json a', ['add']],
    ['--vault x.db a', ['add']],
    ['add ', ['anthropic', 'groq', 'openai']],
    ['add o', ['openai']],
    ['add openai ', []],
    ['add openai:', []],
    ['add groq,o', ['groq,openai']],
    ['remove groq o', ['openai']],
    ['add --mode ', ['api_key', 'oauth', 'token']],
    ['add --mode to', ['token']],
    ['add --mode=to', ['--mode=token']],
    ['add --mode token o', ['openai']],
    ['add --from-env M', ['MY_KEY']],
    ['add --m', ['--mode']],
    ['add openai --st', ['--stdin']],
    ['add --js', ['--json']],
    ['--no', ['--no-color']],
    ['add -- --m', []],
    ['add --priority=', []],
  ])('of %j offers %j', async (line, values) => {
    expect(await offered(line)).toMatchObject({ kind: 'words', values })
  })

  it('says what a candidate does', async () => {
    expect((await offered('v')).lines).toEqual(['vault\tthe vault itself'])
    expect((await offered('add --st')).lines).toEqual(['--stdin\tfrom stdin'])
  })

  it('leaves files to the shell', async () => {
    for (const line of ['add --file ', 'add -f ', 'add --file=x', '--config ', '--vault /tm']) {
      expect((await offered(line)).kind).toBe('files')
    }
  })

  it('puts together what bash takes apart', async () => {
    expect((await offered('add --mode = to', 'bash')).values).toEqual(['token'])
    expect((await offered('add --mode =', 'bash')).values).toEqual(['api_key', 'oauth', 'token'])
    expect((await offered('add openai : wo', 'bash')).values).toEqual([])
    expect((await offered('remove openai : work gr', 'bash')).values).toEqual(['groq'])
    expect((await offered('add --mode = token --st', 'bash')).values).toEqual(['--stdin'])
  })

  it('offers nothing rather than an error', async () => {
    const services = { providerNames: () => Promise.reject(new Error('bad config')) }
    expect((await offered('add ', 'zsh', { services })).values).toEqual([])
    for (const args of [[], ['zsh'], ['zsh', 'x', '--'], ['zsh', '99', '--', 'add'], ['?', '-1']]) {
      const { code, stderr } = await runCli(['__complete', ...args], { commands: COMMANDS })
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' })
    }
  })

  it('needs neither the separator that PowerShell swallows nor an empty last word', async () => {
    const swallowed = await runCli(['__complete', 'powershell', '0', 'va'], { commands: COMMANDS })
    expect(swallowed.stdout).toBe('words\nvault\tthe vault itself\n')
    const empty = await runCli(['__complete', 'powershell', '1', '--', 'vault'], { commands: COMMANDS })
    expect(empty.stdout).toContain('status\t')
  })
})

describe('keymux completion', () => {
  it.each(['bash', 'zsh', 'fish', 'powershell'])('prints a script for %s', async (shell) => {
    const { code, stdout } = await runCli(['completion', shell])
    expect(code).toBe(0)
    expect(stdout).toContain(`__complete ${shell} `)
    const json = await runCli(['completion', shell, '--json'])
    expect(JSON.parse(json.stdout)).toEqual({ shell, script: stdout.trimEnd() })
  })

  it('refuses other shells', async () => {
    expect(await runCli(['completion', 'csh'])).toMatchObject({
      code: 2,
      stderr: 'keymux: this shell has no completion script: use bash, zsh, fish, powershell\n',
    })
  })
})

describe('in bash itself', () => {
  let sandbox: string
  beforeAll(async () => {
    sandbox = makeSandbox()
    // The real registry would do, but its commands change: this one has everything that needs care.
    const program = await bundleProgram(
      `
import { fakeHost } from './test/transcripts/fake-host.js'
import { run } from './src/surfaces/cli/run.js'
const leaf = { examples: [], run: async () => undefined }
const commands = [
  { name: 'add', summary: 'add', load: async () => ({ ...leaf,
    arguments: [{ name: 'P', summary: 'p', completes: 'provider' }],
    options: [{ flags: '--mode <M>', summary: 'how', choices: ['api_key', 'token'] }, { flags: '--file <F>', summary: 'f', completes: 'file' }] }) },
  { name: 'completion', summary: 'script', load: async () => (await import('./src/surfaces/cli/commands/completion.js')).completion },
]
const { host, outcome } = fakeHost({ commands })
const code = await run(process.argv.slice(2), host, commands)
process.stdout.write(outcome(code).stdout)
`,
      sandbox,
    )
    mkdirSync(path.join(sandbox, 'bin'))
    writeFileSync(
      path.join(sandbox, 'bin/keymux'),
      `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`,
    )
    chmodSync(path.join(sandbox, 'bin/keymux'), 0o755)
    writeFileSync(path.join(sandbox, 'some file.txt'), '')
  })
  afterAll(() => removeSandbox(sandbox))

  it.each([
    ['keymux ad\t', 'keymux add '],
    ['keymux add op\t', 'keymux add openai '],
    ['keymux add --mode to\t', 'keymux add --mode token '],
    ['keymux add --mode=to\t', 'keymux add --mode=token '],
    ['keymux add --mode=\tt\t', 'keymux add --mode=token '],
    ['keymux add --file some\t', 'keymux add --file some\\ file.txt '],
    ['keymux add openai some\t', 'keymux add openai some'],
    ['keymux add groq,op\t', 'keymux add groq,openai '],
  ])('%j becomes %j', async (typed, line) => {
    const shell = terminalSession('bash', ['--norc', '--noprofile', '-i'], sandbox, {
      env: { PATH: `${sandbox}/bin:${process.env.PATH}`, PS1: 'ready> ', INPUTRC: '/dev/null' },
      columns: 200,
    })
    await shell.waitFor('ready> ')
    shell.type(
      "bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; eval \"$(keymux completion bash)\"\r",
    )
    await shell.waitFor('ready> ')
    // Shows the line as readline has it, once completion is through.
    shell.type('bind -x \'"\\C-g":printf "\\n<%s>\\n" "$READLINE_LINE"\'\r')
    await shell.waitFor('ready> ')
    shell.type(`${typed}\u0007`)
    await shell.waitFor(/<keymux[^\n]*>/)
    shell.type('\u0015exit\r')
    const { screen } = await shell.ended
    expect(/<(keymux.*)>/.exec(plainScreen(screen))?.[1]).toBe(line)
  })
})
