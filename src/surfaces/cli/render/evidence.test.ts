import { expect, test } from 'vitest'
import type { EvidenceView } from '../../../domain/profiles.js'
import { certaintyWords, modelReason } from './evidence.js'

const NOW = new Date(2026, 0, 31, 14, 5)
const in40s = new Date(NOW.getTime() + 40_000)

const CASES: readonly (readonly [EvidenceView, string])[] = [
  [{}, ''],
  [{ certainty: 'stated' }, 'stated'],
  [{ certainty: 'presumed' }, 'presumed'],
  [{ certainty: 'presumed', told: { by: 'words' } }, 'presumed (wording)'],
  [
    { certainty: 'presumed', told: { by: 'words', status: 403 }, nextCheckAt: in40s },
    'presumed (wording of a 403), checked again in 40s',
  ],
  [{ certainty: 'presumed', told: { by: 'status', status: 401 } }, 'presumed (a 401 alone)'],
  [{ certainty: 'presumed', told: { by: 'code', status: 401 } }, 'presumed (a first 401)'],
  [{ certainty: 'confirmed', checkedBy: 'GET /models', checkedAt: NOW }, 'confirmed by GET /models at 14:05'],
]

test.each(CASES)('%j is told in words', (view, words) => {
  expect(certaintyWords(view, NOW)).toBe(words)
})

test('a model that is set aside says what it is known by unless that is stated', () => {
  expect(modelReason('rate_limit', 'stated')).toBe('rate_limit')
  expect(modelReason('model_not_found', 'presumed')).toBe('model_not_found, presumed')
})
