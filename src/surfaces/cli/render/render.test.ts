import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProfileView } from '../../../domain/profiles.js'
import { createStyle } from '../style.js'
import { displayWidth } from '../width.js'
import { type RenderOptions, renderList } from './list.js'
import { renderShow } from './show.js'
import { renderStatus } from './status.js'
import { formatAgo, formatLocal, formatUntil } from './time.js'

const NOW = new Date('2026-01-31T12:00:00Z')
const later = (ms: number): Date => new Date(NOW.getTime() + ms)
const MINUTE = 60_000
const HOUR = 60 * MINUTE

let zone: string | undefined
beforeAll(() => {
  zone = process.env.TZ
  process.env.TZ = 'UTC'
})
afterAll(() => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
})

function view(id: string, rest: Partial<ProfileView> = {}): ProfileView {
  const [provider = '', name = ''] = id.split(':')
  return {
    id,
    provider,
    name,
    mode: 'api_key',
    enabled: true,
    valid: true,
    expired: false,
    priority: 0,
    createdAt: new Date('2026-01-01T08:30:00Z'),
    updatedAt: new Date('2026-01-02T08:30:00Z'),
    state: 'available',
    modelCooldowns: [],
    errorCount: 0,
    failureCounts: {},
    lastGood: false,
    ...rest,
  }
}

const VIEWS: readonly ProfileView[] = [
  view('anthropic:me@example.com', {
    mode: 'oauth',
    email: 'me@example.com',
    expired: true,
    lastUsedAt: later(-3 * HOUR),
  }),
  view('openai:work', {
    priority: 10,
    state: 'cooling',
    unusableUntil: later(4 * MINUTE + 12_000),
    unusableReason: 'rate_limit',
    lastError: 'Rate limit reached for gpt-4o in organization org-1',
    errorCount: 3,
    failureCounts: { rate_limit: 3 },
    lastUsedAt: later(-10_000),
    modelCooldowns: [{ model: 'gpt-4o', until: later(20_000), reason: 'rate_limit', certainty: 'stated' }],
  }),
  view('openai:personal', {
    state: 'disabled',
    unusableUntil: later(5 * HOUR),
    unusableReason: 'billing',
    errorCount: 1,
    failureCounts: { billing: 1 },
  }),
  view('openai:old', { enabled: false, valid: false, state: 'off' }),
  view('gemini:default', { mode: 'oauth', valid: false, state: 'invalid', loginNeeded: true }),
  view('groq:日本', { mode: 'token', valid: false, expired: true, state: 'expired', lastGood: true }),
]

const plain: RenderOptions = { style: createStyle(false), now: NOW }

describe('when', () => {
  it.each([
    [0, 'now'],
    [-5, 'now'],
    [1, 'in 1s'],
    [59_001, 'in 1m'],
    [4 * MINUTE + 12_000, 'in 4m 12s'],
    [HOUR, 'in 1h'],
    [HOUR - 1, 'in 1h'],
    [2 * HOUR, 'at 14:00'],
    [13 * HOUR, 'at 2026-02-01 01:00'],
  ])('%i ms ahead is %s', (ms, words) => {
    expect(formatUntil(later(ms), NOW)).toBe(words)
  })

  it.each([
    [-MINUTE, 'just now'],
    [0, 'just now'],
    [59_999, 'just now'],
    [MINUTE, '1m ago'],
    [23 * HOUR, '23h ago'],
    [72 * HOUR, '3d ago'],
    [45 * 24 * HOUR, '2025-12-17'],
  ])('%i ms back is %s', (ms, words) => {
    expect(formatAgo(later(-ms), NOW)).toBe(words)
  })

  it('is local', () => {
    process.env.TZ = 'America/New_York'
    expect(formatLocal(NOW)).toBe('2026-01-31 07:00')
    process.env.TZ = 'UTC'
  })
})

describe('keymux list', () => {
  it('groups and lines up', () => {
    expect(renderList(VIEWS, plain).split('\n')).toEqual([
      '   PROFILE                   MODE     PRIORITY  STATE                    E-MAIL          LAST ERROR',
      '✓  anthropic:me@example.com  oauth           0  available                me@example.com',
      '⚠  openai:work               api_key        10  cooling, back in 4m 12s                  Rate limit reached for gpt-4o in organization org-1',
      '⚠  openai:personal           api_key         0  disabled, back at 17:00',
      '⊘  openai:old                api_key         0  off',
      '✗  gemini:default            oauth           0  login needed',
      '⚠  groq:日本                 token           0  expired',
    ])
  })

  it.each([80, 100, 200])('fits %i columns with every id whole', (width) => {
    const lines = renderList(VIEWS, { ...plain, width }).split('\n')
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width)
    for (const { id } of VIEWS) expect(lines.join('\n')).toContain(id)
  })

  it('says what to do when there is nothing', () => {
    expect(renderList([], plain)).toContain('keymux add')
    expect(renderStatus([], plain)).toContain('keymux add')
  })
})

describe('keymux status', () => {
  it('tells until when and why', () => {
    expect(renderStatus(VIEWS, plain).split('\n')).toEqual([
      '   PROFILE                   STATE         BACK       WHY         ERRORS  LAST USED',
      '✓  anthropic:me@example.com  available                                    3h ago',
      '⚠  openai:work               cooling       in 4m 12s  rate_limit       3  just now',
      '     gpt-4o                  cooling       in 20s     rate_limit',
      '⚠  openai:personal           disabled      at 17:00   billing          1',
      '⊘  openai:old                off',
      '✗  gemini:default            login needed',
      '⚠  groq:日本                 expired                                                 last good',
      '',
      '1 of 6 profiles usable now',
    ])
  })

  it.each([80, 200])('fits %i columns', (width) => {
    for (const line of renderStatus(VIEWS, { ...plain, width }).split('\n')) {
      expect(displayWidth(line)).toBeLessThanOrEqual(width)
    }
  })
})

describe('keymux show', () => {
  it('tells what is known and leaves out what is not', () => {
    const [, work] = VIEWS
    if (work === undefined) throw new Error('unreachable')
    expect(renderShow(work, plain).split('\n')).toEqual([
      'openai:work',
      '  mode            api_key',
      '  state           cooling',
      '  usable again    in 4m 12s',
      '  because of      rate_limit',
      '  priority        10',
      '  last used       just now',
      '  failures        3 (rate_limit 3)',
      '  last error      Rate limit reached for gpt-4o in organization org-1',
      '  added           2026-01-01 08:30',
      '  changed         2026-01-02 08:30',
      '  model gpt-4o    cooling, back in 20s (rate_limit)',
    ])
  })

  it('obeys nothing that was stored', () => {
    const hostile = '\u001b]0;x\u0007\u202e\n'
    const shown = renderShow(
      view('openai:x', {
        lastError: hostile,
        email: hostile,
        account: hostile,
        models: [hostile],
        reference: hostile,
      }),
      plain,
    )
    expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
  })
})
