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

  test('reads a body from standard input, and headers with -H', async () => {
    const args = ['explain-failure', '--provider', 'openai', '--status', '429', '--body-file', '-', '--json']
    const told = await keymux(
      [...args, '-H', 'Retry-After: 7'],
      {},
      '{"error":{"code":"rate_limit_exceeded"}}',
    )
    expect(JSON.parse(told.stdout)).toMatchObject({ reason: 'rate_limit', retry_after_ms: 7_000 })
  })

  test('takes a message alone as report does, with the wait that it states', async () => {
    const ask = async (message: string): Promise<object> =>
      JSON.parse(
        (await keymux(['explain-failure', '--provider', 'openai', '--json', '--message', message])).stdout,
      )
    expect(await ask('Rate limit reached. Please try again in 20s')).toMatchObject({
      reason: 'rate_limit',
      certainty: 'presumed',
      retry_after_ms: 20_000,
    })
    expect(await ask('something odd')).toMatchObject({ reason: 'unknown', decided_by: { by: 'nothing' } })
  })

  test('says where a rule of the owner is written, and that nobody knows a provider', async () => {
    const env = config(`${RULES}providers:
  acme:
    base_url: https://acme.example/v1
    failure_rules:
      - { status: 403, pattern: 'seat \\d+ is taken', reason: rate_limit, retry_after_seconds: 90 }
`)
    const own = ['--provider', 'acme', '--status', '403', '--message', 'Seat 7 is taken']
    const told = await keymux(['explain-failure', ...own], env)
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(told.stdout).toMatch(/^wait {8}90 s$/m)
    expect(told.stdout).toMatch(/^decided by {2}your rule: 403, \/seat \\d\+ is taken\/$/m)
    expect(told.stdout).toMatch(/^rule {8}\S+rules\.yaml:8:9: providers\.acme\.failure_rules\[0\]$/m)
    const unknown = await keymux(['explain-failure', '--provider', 'nobody', '--status', '500'], env)
    expect(unknown).toMatchObject({ code: 0, stderr: expect.stringContaining('no provider "nobody"') })
  })

  test('exits with 2 where something is missing, and 4 where there is no such file', async () => {
    const ask = (...args: string[]): ReturnType<typeof keymux> =>
      keymux(['explain-failure', '--provider', 'openai', ...args])
    expect(await ask()).toMatchObject({ code: 2, stderr: expect.stringContaining('what went wrong?') })
    expect(await ask('--message', 'x', '--body-file', '-')).toMatchObject({ code: 2 })
    expect(await ask('--body-file', join(sandbox, 'none.json'))).toMatchObject({ code: 4 })
    expect(await ask('--status', '429', '--header', 'nonsense')).toMatchObject({ code: 2 })
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
    [
      "failure_rules:\n  - { provider: corp, pattern: '(a)\\1', reason: billing }",
      /rules\.yaml:2:32: failure_rules\[0\]\.pattern: back-references/,
    ],
    [
      'failure_rules:\n  - { provider: corp, pattern: "a(?=b)", reason: billing }',
      /rules\.yaml:2:32: failure_rules\[0\]\.pattern: look-around/,
    ],
    [
      'failure_rules:\n  - { provider: corp, status: 400, reason: billing, scope: request }',
      /rules\.yaml:2:\d+: failure_rules\[0\]\.scope: billing goes with the scope credential/,
    ],
    [
      'providers:\n  acme:\n    base_url: https://acme.example\n    failure_rules:\n      - { pattern: "(", reason: format }',
      /rules\.yaml:5:11: providers\.acme\.failure_rules\[0\]\.pattern: .*no pattern that RE2 knows/,
    ],
    [
      'providers:\n  acme:\n    base_url: https://acme.example\n    failure_rules:\n      - { provider: acme, status: 400, reason: format }',
      /rules\.yaml:5:\d+: providers\.acme\.failure_rules\[0\]\.provider: .*leave it out/,
    ],
  ])('%j is refused, with the line and what was expected', async (text, message) => {
    const told = await keymux(['config', 'validate'], config(`${text}\n`))
    expect(told.code).toBe(2)
    expect(told.stderr + told.stdout).toMatch(message)
  })

  test('that never decide are told by config validate and doctor', async () => {
    const env = config(
      'failure_rules:\n  - { provider: "*", status: 403, reason: format }\n  - { provider: openai, status: 403, reason: billing }\n',
    )
    const odd =
      /rules\.yaml:3:5: failure_rules\[1\]: it never decides: \S+:2:5: failure_rules\[0\] comes first, and says format/
    expect(await keymux(['config', 'validate'], env)).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(odd),
    })
    expect(JSON.parse((await keymux(['config', 'validate', '--json'], env)).stdout).warnings).toHaveLength(2)
    expect(await keymux(['doctor'], env)).toMatchObject({ code: 0, stdout: expect.stringMatching(odd) })
    const sound = config(
      'failure_rules:\n  - { provider: openai, status: 403, message: moved, reason: format }\n',
    )
    expect((await keymux(['doctor'], sound)).stdout).toContain('1 rule(s) of your own')
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
    expect(status.providers[0].profiles[0]).toHaveProperty('certainty', 'stated')
  })

  test('stand with a provider too, and hold in requests, live tests and reports', async () => {
    upstream = await startScriptedUpstream()
    const refusal = {
      answer: () => ({
        status: 403,
        headers: { 'content-type': 'application/json' },
        pieces: ['{"error":{"message":"Seat 7 is taken"}}'],
      }),
    }
    upstream.respond(refusal, 'key-one-1234567890')
    upstream.respond(refusal, 'key-three-1234567890')
    const env = {
      ...config(`providers:
  acme:
    base_url: ${upstream.url}/v1
    base_url_env: ACME_BASE_URL
    check: { method: GET, path: /models }
    failure_rules:
      - { status: 403, pattern: 'seat \\d+ is taken', reason: rate_limit, scope: credential, retry_after_seconds: 600 }
`),
      KEYMUX_PASSPHRASE: 'open sesame',
    }
    await keymux(['init'], env)
    for (const [name, priority] of [
      ['one', '3'],
      ['two', '2'],
      ['three', '1'],
      ['four', '0'],
    ] as const) {
      await keymux(['add', `acme:${name}`, '--stdin', '--priority', priority], env, `key-${name}-1234567890`)
    }
    const script = `
      const answer = await fetch(process.env.ACME_BASE_URL + '/chat/completions', {
        method: 'POST',
        headers: { authorization: 'Bearer ' + process.env.ACME_API_KEY, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'gpt-4o', messages: [] }),
      })
      console.log(answer.status, answer.headers.get('x-keymux-profile'))`
    const node = [process.execPath, '--input-type=module', '-e', script]
    expect((await keymux(['exec', '--gateway', 'acme', '--', ...node], env)).stdout).toBe('200 acme:two\n')
    await keymux(['test', 'acme:three', '--live'], env)
    await keymux(['report', 'failure', 'acme:four', '--message', '403: seat 12 is taken'], env)
    const status = JSON.parse((await keymux(['status', '--json'], env)).stdout)
    const profiles: { id: string; reason?: string; unusable_until?: string }[] = status.providers[0].profiles
    const set = new Map(profiles.map(({ id, reason }) => [id, reason]))
    expect(set.get('acme:one')).toBe('rate_limit')
    expect(set.get('acme:two')).toBeUndefined()
    expect(set.get('acme:three')).toBe('rate_limit')
    expect(set.get('acme:four')).toBe('rate_limit')
    for (const { unusable_until: until } of profiles.filter(({ reason }) => reason !== undefined)) {
      expect(Date.parse(until ?? '') - Date.now()).toBeGreaterThan(500_000)
    }
  })
})
