import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ScriptedUpstream, startScriptedUpstream } from '../../src/entries/testing.js'
import { keymuxBinary, makeSandbox, type Program, removeSandbox, runProgram } from './harness.js'

let program: Program
let sandbox: string

beforeAll(() => {
  program = keymuxBinary()
})
beforeEach(() => {
  sandbox = makeSandbox()
})
afterEach(() => removeSandbox(sandbox))

const config = (text: string): Record<string, string> => {
  const path = join(sandbox, 'rules.yaml')
  writeFileSync(path, text, { mode: 0o600 })
  return { KEYMUX_CONFIG: path }
}
const keymux = (
  args: readonly string[],
  env: Record<string, string> = {},
  stdin = '',
): ReturnType<typeof runProgram> => runProgram(program, args, sandbox, { env, stdin })

const RULES = `failure_rules:
  - { provider: corp, status: 400, message: "Budget is gone", reason: billing, scope: credential }
  - { provider: "*", status: 403, message: "safety_check", reason: format, scope: request }
`

describe('explain-failure', () => {
  test('says what an answer is taken for, what decided, and what would follow', async () => {
    const body = join(sandbox, 'answer.json')
    writeFileSync(body, '{"error":{"code":"1308","message":"Usage limit reached. Resets in 2 hours."}}')
    const told = await keymux([
      'explain-failure',
      '--provider',
      'zai',
      '--status',
      '429',
      '--body-file',
      body,
    ])
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(told.stdout).toBe(
      [
        'reason      rate_limit (stated)',
        'scope       credential',
        'wait        7200 s, as it says',
        'message     Usage limit reached. Resets in 2 hours.',
        'decided by  a rule of zai: 1308',
        'source      docs.z.ai/api-reference/api-code',
        'effect      the account is set aside until then; another one is asked',
        '',
      ].join('\n'),
    )
  })

  test.each([
    [
      ['--status', '403'],
      { reason: 'auth_permanent', certainty: 'presumed', decided_by: { by: 'status', what: '403' } },
    ],
    [
      ['--status', '401', '--message', '{"error":{"code":"invalid_api_key"}}'],
      { reason: 'auth', certainty: 'stated', decided_by: { by: 'code', what: 'invalid api key' } },
    ],
    [
      ['--status', '400', '--message', 'insufficient balance'],
      { reason: 'billing', certainty: 'presumed', decided_by: { by: 'words', what: 'insufficient balance' } },
    ],
    [
      ['--status', '429', '--header', 'retry-after=20', '--model', 'gpt-4o'],
      { reason: 'rate_limit', scope: 'model', retry_after_ms: 20_000 },
    ],
    [
      ['--status', '403', '--header', 'cf-mitigated: challenge'],
      { reason: 'server_error', decided_by: { by: 'page' } },
    ],
    [
      ['--status', '400', '--message', 'not for you'],
      { reason: 'format', effect: expect.stringContaining('one other account is asked') },
    ],
    [
      ['--status', '400', '--message', 'stopped by moderation'],
      { reason: 'format', effect: expect.not.stringContaining('other account') },
    ],
    [['--status', '200', '--message', '{"ok":true}'], { failure: false }],
  ])('as JSON: %j', async (args, expected) => {
    const told = await keymux(['explain-failure', '--provider', 'openai', '--json', ...args])
    expect(told.code).toBe(0)
    expect(JSON.parse(told.stdout)).toMatchObject(expected)
  })

  test('looks at rules of the owner first', async () => {
    const env = config(RULES)
    const ask = async (...args: string[]): Promise<object> =>
      JSON.parse((await keymux(['explain-failure', '--json', ...args], env)).stdout)
    const own = { certainty: 'stated', decided_by: { by: 'rule', source: 'failure_rules in your config' } }
    const budget = ['--status', '400', '--message', 'The BUDGET is gone for you']
    expect(await ask('--provider', 'corp', ...budget)).toMatchObject({ ...own, reason: 'billing' })
    expect(await ask('--provider', 'openai', ...budget)).toMatchObject({ reason: 'format' })
    const check = ['--status', '403', '--message', 'failed: SAFETY_CHECK_BIO']
    expect(await ask('--provider', 'xai', ...check)).toMatchObject({
      ...own,
      reason: 'format',
      scope: 'request',
    })
  })

  test('a key in an answer is not shown, and a provider must be named', async () => {
    const told = await keymux([
      'explain-failure',
      '--provider',
      'openai',
      '--status',
      '401',
      '--message',
      'Incorrect API key provided: sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34',
    ])
    expect(told.stdout).not.toContain('sk-proj-Ab12')
    expect(await keymux(['explain-failure'])).toMatchObject({ code: 2, stdout: '' })
    expect(await keymux(['explain-failure', '--provider', 'openai', '--status', '42'])).toMatchObject({
      code: 2,
    })
  })
})

describe('failure_rules', () => {
  test.each([
    [
      'failure_rules:\n  - { provider: corp, status: 400 }',
      /rules\.yaml:2:\d+: failure_rules\[0\].*reason is missing/,
    ],
    ['failure_rules:\n  - { provider: corp, reason: billing }', /status or message is missing/],
    [
      'failure_rules:\n  - { provider: corp, status: 200, reason: billing }',
      /failure_rules\[0\]\.status.*400 to 599/,
    ],
    ['failure_rules:\n  - { provider: corp, status: 400, reason: poverty }', /failure_rules\[0\]\.reason/],
    ['failure_rules:\n  - { provider: corp, status: 400, reason: billing, words: x }', /unknown key/],
    ['failure_rules: yes', /failure_rules.*a list/],
  ])('%j is refused, with the line and what was expected', async (text, message) => {
    const told = await keymux(['config', 'validate'], config(`${text}\n`))
    expect(told.code).toBe(2)
    expect(told.stderr + told.stdout).toMatch(message)
  })

  let upstream: ScriptedUpstream | undefined
  afterEach(async () => upstream?.close())

  test('decide in requests too', async () => {
    upstream = await startScriptedUpstream()
    upstream.respond(
      {
        answer: () => ({
          status: 400,
          headers: { 'content-type': 'application/json' },
          pieces: ['{"error":{"message":"Budget is gone"}}'],
        }),
      },
      'key-one-1234567890',
    )
    const env = { ...config(RULES.replace('corp', 'openai')), KEYMUX_PASSPHRASE: 'open sesame' }
    await keymux(['init'], env)
    for (const [name, priority] of [
      ['one', '2'],
      ['two', '1'],
    ] as const) {
      const base = ['--base-url', `${upstream.url}/v1`, '--priority', priority]
      await keymux(['add', `openai:${name}`, '--stdin', ...base], env, `key-${name}-1234567890`)
    }
    const script = `
      const answer = await fetch(process.env.OPENAI_BASE_URL + '/chat/completions', {
        method: 'POST',
        headers: { authorization: 'Bearer ' + process.env.OPENAI_API_KEY, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'gpt-4o', messages: [] }),
      })
      console.log(answer.status, answer.headers.get('x-keymux-profile'))`
    const node = [process.execPath, '--input-type=module', '-e', script]
    const run = await keymux(['exec', '--gateway', 'openai', '--', ...node], env)
    expect(run.stdout).toBe('200 openai:two\n')
    const status = JSON.parse((await keymux(['status', '--json'], env)).stdout)
    expect(status.providers[0].profiles[0]).toMatchObject({
      id: 'openai:one',
      state: 'disabled',
      reason: 'billing',
    })
    expect(status.providers[0].profiles[0]).not.toHaveProperty('certainty')
  })
})
