import { expect, test } from 'vitest'
import { createJsonLogger } from './log.js'

const clock = { now: () => new Date('2026-01-31T12:00:00Z') }

function logged(level: 'debug' | 'info' | 'warn' | 'error'): {
  lines: string[]
  log: ReturnType<typeof createJsonLogger>
} {
  const lines: string[] = []
  return { lines, log: createJsonLogger({ level, clock, write: (line) => lines.push(line) }) }
}

test('each line is one JSON object with time, level and message', () => {
  const { lines, log } = logged('info')
  log.warn('a profile cools', { profile: 'openai:work', seconds: 30 })
  expect(lines).toEqual([
    '{"time":"2026-01-31T12:00:00.000Z","level":"warn","message":"a profile cools","profile":"openai:work","seconds":30}\n',
  ])
})

test('what is below the level is left out', () => {
  const { lines, log } = logged('warn')
  log.debug('a')
  log.info('b')
  log.error('c')
  expect(lines.map((line) => JSON.parse(line).message)).toEqual(['c'])
})

test('secrets are redacted wherever they stand, and no line can be forged', () => {
  const { lines, log } = logged('debug')
  const key = 'sk-proj-Marker7Qx9Zt3Lk8Vb2Nm5'
  log.error(`bad ${key}`, { error: new Error(`key ${key} at\nline`), nested: { header: `Bearer ${key}` } })
  expect(lines.join('')).not.toContain('Marker7')
  expect(lines.join('').trimEnd().split('\n')).toHaveLength(1)
})

test('a field cannot take the place of what the line says', () => {
  const { lines, log } = logged('debug')
  log.warn('a try failed', { message: 'the provider’s', level: 'none', time: 'never', attempt: 1 })
  expect(JSON.parse(lines.join(''))).toEqual({
    time: '2026-01-31T12:00:00.000Z',
    level: 'warn',
    message: 'a try failed',
    attempt: 1,
  })
})
