import { describe, expect, it } from 'vitest'
import { type FakeWorld, fakeHost, runCli } from '../../../test/transcripts/fake-host.js'
import { run } from './run.js'
import { checkReference, readSecret, SECRET_OPTIONS } from './secret-input.js'
import type { CommandEntry } from './spec.js'

const KEY = 'sk-proj-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH'
const MIB = 1024 * 1024

const take: CommandEntry = {
  name: 'take',
  summary: 'take a secret',
  load: async () => ({
    options: SECRET_OPTIONS,
    examples: [],
    async run(context, input) {
      context.output.document(await readSecret(context, input, { question: 'Key: ', references: true }))
      return undefined
    },
  }),
}

const cli = (argv: readonly string[], world: FakeWorld = {}) =>
  runCli(['take', ...argv, '--json'], { commands: [take], ...world })

async function secret(argv: readonly string[], world: FakeWorld = {}): Promise<unknown> {
  const { code, stdout, stderr } = await cli(argv, world)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

async function refusal(argv: readonly string[], world: FakeWorld = {}) {
  const { code, stdout, stderr } = await cli(argv, world)
  expect(stdout).toBe('')
  return { status: code, ...JSON.parse(stderr).error }
}

describe('--stdin', () => {
  it.each<[string, string | Uint8Array, string]>([
    ['as it is', 'key', 'key'],
    ['without one final line feed', 'key\n', 'key'],
    ['without one final CRLF', 'key\r\n', 'key'],
    ['with all but the last of several', 'key\n\n', 'key\n'],
    [
      'with inner newlines and other white space',
      ' -----BEGIN\n\tab\r\n-----END \n',
      ' -----BEGIN\n\tab\r\n-----END ',
    ],
    ['with unicode', 'clé 日本 🔑\n', 'clé 日本 🔑'],
    ['with a byte order mark that is part of it', '\ufeffkey', '\ufeffkey'],
    ['with a final carriage return alone', 'key\r', 'key\r'],
    ['of one mebibyte', `${'x'.repeat(MIB)}\r\n`, 'x'.repeat(MIB)],
  ])('takes a secret %s', async (_, stdin, expected) => {
    expect(await secret(['--stdin'], { stdin })).toEqual({ secret: expected })
  })

  it.each<[string, string | Uint8Array, RegExp]>([
    ['nothing', '', /empty/],
    ['a line feed alone', '\n', /empty/],
    ['more than one mebibyte', `${'x'.repeat(MIB + 1)}\n`, /larger than 1 MiB/],
    ['far more', 'é'.repeat(2 * MIB), /larger than 1 MiB|not UTF-8/],
    ['bytes that are not UTF-8', Uint8Array.of(0x6b, 0xff, 0xfe), /not UTF-8/],
    ['a cut character', Uint8Array.of(0x6b, 0xe6, 0x97), /not UTF-8/],
    ['a NUL', 'ke\0y', /NUL/],
  ])('refuses %s', async (_, stdin, message) => {
    expect(await refusal(['--stdin'], { stdin })).toMatchObject({
      status: 2,
      code: 'invalid_secret',
      message: expect.stringMatching(message),
    })
  })

  it('tells how to end when it is typed', async () => {
    const { stderr } = await runCli(['take', '--stdin'], { commands: [take], stdin: 'k\n', stdinIsTTY: true })
    expect(stderr).toContain('Ctrl-D')
  })

  it('cannot share its stream with the passphrase', async () => {
    expect(await refusal(['--stdin', '--passphrase-fd', '0'])).toMatchObject({ status: 2, code: 'usage' })
  })

  it('says so when standard input cannot be read', async () => {
    const { host, outcome } = fakeHost()
    const stdin = { ...host.stdin, read: () => Promise.reject(new Error('EISDIR')) }
    const broken = { ...host, stdin }
    const { code, stderr } = outcome(await run(['take', '--stdin'], broken, [take]))
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'keymux: standard input cannot be read\n' })
  })
})

describe('--from-env', () => {
  it('takes the value of the variable', async () => {
    expect(await secret(['--from-env', 'MY_KEY'], { env: { MY_KEY: KEY } })).toEqual({ secret: KEY })
  })

  it.each([
    ['MY_KEY', {}, 'invalid_secret', 'MY_KEY is not set'],
    ['MY_KEY', { MY_KEY: '' }, 'invalid_secret', 'MY_KEY is empty'],
    ['MY-KEY', {}, 'invalid_value', 'wants the name of a variable'],
    ['$MY_KEY', {}, 'invalid_value', 'wants the name of a variable'],
    ['', {}, 'invalid_value', 'wants the name of a variable'],
  ])('refuses %j with %j', async (variable, env, code, message) => {
    expect(await refusal(['--from-env', variable], { env })).toMatchObject({
      status: 2,
      code,
      message: expect.stringContaining(message),
    })
  })

  it('does not repeat a key given in place of the name', async () => {
    const refused = await refusal(['--from-env', KEY])
    expect(refused).toMatchObject({ status: 2, code: 'secret_in_argv' })
    expect(JSON.stringify(refused)).not.toContain(KEY)
  })
})

describe('--ref', () => {
  it.each([
    'vault://OPENAI',
    'env://MY_KEY',
    'file:///run/secrets/key',
    'file:///C:/keys/k',
    'exec://op read x',
  ])('keeps %s', async (reference) => {
    expect(await secret(['--ref', reference])).toEqual({ reference })
  })

  it.each([
    'OPENAI',
    'vault://',
    'env://',
    'env://A B',
    'file://key',
    'file:///',
    'file://host/key',
    'exec://',
    'exec:// ',
    'https://example.com',
    'VAULT://x',
    'vault://a\nb',
    '',
  ])('refuses %j', async (reference) => {
    expect(await refusal(['--ref', reference])).toMatchObject({ status: 2, code: 'invalid_reference' })
  })

  it('does not repeat a key given in its place', () => {
    expect(() => checkReference(KEY)).toThrowError(expect.not.stringContaining(KEY))
    expect(() => checkReference(KEY)).toThrowError(expect.objectContaining({ code: 'secret_in_argv' }))
  })
})

describe('two sources', () => {
  it.each([
    [['--stdin', '--from-env', 'X']],
    [['--stdin', '--ref', 'env://X']],
    [['--from-env', 'X', '--ref', 'env://X']],
    [['--stdin', '--from-env', '']],
  ])('%j are refused', async (argv) => {
    expect(await refusal(argv)).toMatchObject({ status: 2, code: 'usage' })
  })
})

describe('the prompt', () => {
  it('asks when no option says where the secret is', async () => {
    const { code, stdout, asked } = await cli([], { answers: ['typed'] })
    expect({ code, asked }).toEqual({ code: 0, asked: ['Key: '] })
    expect(JSON.parse(stdout)).toEqual({ secret: 'typed' })
    expect(await refusal([], { answers: [''] })).toMatchObject({ code: 'invalid_secret' })
  })

  it('without a terminal: the ways to give one', async () => {
    expect(await refusal([])).toEqual({
      status: 2,
      code: 'invalid_secret',
      message: 'no secret was given, and there is no terminal to ask on',
      hint: 'use --stdin, --from-env VAR or --ref REF',
    })
  })
})
