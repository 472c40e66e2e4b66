import { describe, expect, it } from 'vitest'
import type { ProfileListItem } from '../domain/profile-list.js'
import type { ProfileView } from '../domain/profiles.js'
import { formatProfileList, profileMark } from './format-list.js'
import { toListJson, toShowJson, toStatusJson } from './json-views.js'

const AT = new Date('2026-01-31T12:00:00Z')

function item(id: string, rest: Partial<ProfileListItem> = {}): ProfileListItem {
  const [provider = '', name = ''] = id.split(':')
  return { id, provider, name, mode: 'api_key', enabled: true, valid: true, ...rest }
}

describe('formatProfileList', () => {
  it('groups by provider, with marks, e-mail, error and priority', () => {
    const profiles = [
      item('gemini:me@x.com', { mode: 'oauth', email: 'me@x.com' }),
      item('openai:work', { priority: 10, last_error: 'rate limit\nreached' }),
      item('openai:expired', { mode: 'token', valid: false, expired: true }),
      item('openai:broken', { valid: false }),
      item('openai:off', { enabled: false, valid: false }),
      item('openai:cooling', {
        state: 'cooling',
        unusable_until: '2026-01-31T12:00:30Z',
        unusable_reason: 'rate_limit',
      }),
    ]
    expect(formatProfileList({ profiles, total: 6 })).toBe(
      [
        'gemini:',
        '  ✓ gemini:me@x.com  oauth, me@x.com',
        '',
        'openai:',
        '  ✓ openai:work  api_key, priority 10',
        '      last error: rate limit\\nreached',
        '  ⚠ openai:expired  token, expired',
        '  ✗ openai:broken  api_key, invalid',
        '  ⊘ openai:off  api_key, off',
        '  ⚠ openai:cooling  api_key, cooling (rate_limit) until 2026-01-31T12:00:30Z',
        '',
        '6 profiles',
        '',
      ].join('\n'),
    )
  })

  it('takes what the original gives: no state, no priority', () => {
    expect(formatProfileList({ profiles: [item('groq:default')], total: 1 })).toBe(
      'groq:\n  ✓ groq:default  api_key\n\n1 profile\n',
    )
    expect(formatProfileList({ profiles: [], total: 0 })).toBe('There are no profiles.\n')
  })

  it('obeys nothing that was stored', () => {
    const hostile = '\u001b[31m\u202e\u0007'
    const text = formatProfileList({
      profiles: [item('openai:x', { email: hostile, last_error: hostile })],
      total: 1,
    })
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
  })

  it.each([
    [{ enabled: false, valid: true, state: 'cooling' }, '⊘'],
    [{ enabled: true, valid: true, state: 'disabled' }, '⚠'],
    [{ enabled: true, valid: true, expired: true, state: 'available' }, '✓'],
    [{ enabled: true, valid: true, expired: true }, '⚠'],
    [{ enabled: true, valid: false, state: 'invalid' }, '✗'],
    [{ enabled: true, valid: false, expired: true, state: 'invalid' }, '✗'],
    [{ enabled: true, valid: true, expired: true, state: 'available', renewal_reason: 'server_error' }, '⚠'],
    [{ enabled: true, valid: true, state: 'available' }, '✓'],
  ] as const)('marks %j with %s', (profile, mark) => {
    expect(profileMark(profile)).toBe(mark)
  })
})

describe('views as JSON', () => {
  const view: ProfileView = {
    id: 'openai:work',
    provider: 'openai',
    name: 'work',
    mode: 'token',
    enabled: true,
    valid: false,
    expired: true,
    email: 'me@x.com',
    priority: 5,
    account: 'org-1',
    models: ['gpt-4*'],
    baseUrl: 'https://x.example/v1',
    reference: 'vault://X',
    createdAt: AT,
    updatedAt: AT,
    lastUsedAt: AT,
    lastError: 'boom',
    lastErrorAt: AT,
    expiresAt: AT,
    state: 'cooling',
    unusableUntil: AT,
    unusableReason: 'rate_limit',
    modelCooldowns: [{ model: 'gpt-4o', until: AT, reason: 'model_not_found', certainty: 'stated' }],
    errorCount: 2,
    failureCounts: { rate_limit: 2 },
    lastGood: true,
  }
  const bare: ProfileView = {
    id: 'groq:default',
    provider: 'groq',
    name: 'default',
    mode: 'api_key',
    enabled: true,
    valid: true,
    expired: false,
    priority: 0,
    createdAt: AT,
    updatedAt: AT,
    state: 'available',
    modelCooldowns: [],
    errorCount: 0,
    failureCounts: {},
    lastGood: false,
  }
  const time = '2026-01-31T12:00:00Z'

  it('have the shape of list --json', () => {
    expect(toListJson([view, bare])).toEqual({
      profiles: [
        {
          id: 'openai:work',
          provider: 'openai',
          name: 'work',
          mode: 'token',
          enabled: true,
          valid: false,
          expired: true,
          email: 'me@x.com',
          priority: 5,
          last_used_at: time,
          last_error: 'boom',
          state: 'cooling',
          unusable_until: time,
          unusable_reason: 'rate_limit',
          expires_at: time,
          account: 'org-1',
          models: ['gpt-4*'],
          base_url: 'https://x.example/v1',
          reference: 'vault://X',
          last_error_at: time,
          created_at: time,
          updated_at: time,
        },
        {
          id: 'groq:default',
          provider: 'groq',
          name: 'default',
          mode: 'api_key',
          enabled: true,
          valid: true,
          priority: 0,
          state: 'available',
          created_at: time,
          updated_at: time,
        },
      ],
      total: 2,
    })
  })

  it('have the shape of status --json', () => {
    expect(toStatusJson([view, bare])).toEqual({
      providers: [
        {
          provider: 'openai',
          profiles: [
            {
              id: 'openai:work',
              state: 'cooling',
              expired: true,
              expires_at: time,
              unusable_until: time,
              reason: 'rate_limit',
              model_cooldowns: [
                { model: 'gpt-4o', until: time, reason: 'model_not_found', certainty: 'stated' },
              ],
              quota: [],
              error_count: 2,
              failure_counts: { rate_limit: 2 },
              last_used_at: time,
              last_good: true,
            },
          ],
        },
        {
          provider: 'groq',
          profiles: [
            {
              id: 'groq:default',
              state: 'available',
              model_cooldowns: [],
              quota: [],
              error_count: 0,
              failure_counts: {},
              last_good: false,
            },
          ],
        },
      ],
    })
    expect(toStatusJson([])).toEqual({ providers: [] })
  })

  it('have both in show --json', () => {
    expect(toShowJson(view)).toMatchObject({
      id: 'openai:work',
      email: 'me@x.com',
      error_count: 2,
      last_good: true,
    })
  })
})
