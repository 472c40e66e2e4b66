import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBeginning } from './decode.js'

const TEXT = Buffer.from('data: {"error":{"message":"overloaded"}}\n\n'.repeat(40))

const CODINGS = [
  ['gzip', gzipSync(TEXT)],
  ['x-gzip', gzipSync(TEXT)],
  [' GZIP ', gzipSync(TEXT)],
  ['deflate', deflateSync(TEXT)],
  ['deflate', deflateRawSync(TEXT)],
  ['br', brotliCompressSync(TEXT)],
  ['identity', TEXT],
  [undefined, TEXT],
] as const

describe.each(CODINGS)('%s', (coding, bytes) => {
  test('the whole and every beginning', () => {
    expect(decodeBeginning(bytes, coding)).toEqual(TEXT)
    for (let length = 0; length < bytes.length; length += 1) {
      const beginning = decodeBeginning(bytes.subarray(0, length), coding)
      // Some decoders refuse a few bytes: then nothing is known yet.
      if (beginning !== undefined) expect(TEXT.subarray(0, beginning.length).equals(beginning)).toBe(true)
    }
  })
})

test('what arrives in flushed parts is readable part by part', () => {
  const bytes = gzipSync(TEXT)
  expect(decodeBeginning(bytes.subarray(0, bytes.length - 8), 'gzip')?.length).toBe(TEXT.length)
})

test('unknown codings, broken data and bombs are given up', () => {
  expect(decodeBeginning(TEXT, 'zstd')).toBeUndefined()
  expect(decodeBeginning(TEXT, 'gzip, br')).toBeUndefined()
  expect(decodeBeginning(TEXT, 'gzip')).toBeUndefined()
  expect(decodeBeginning(gzipSync(Buffer.alloc(8_000_000)), 'gzip')).toBeUndefined()
  expect(decodeBeginning(brotliCompressSync(Buffer.alloc(8_000_000)), 'br')).toBeUndefined()
})

test('never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.constantFrom('gzip', 'deflate', 'br', 'x', ''), (bytes, coding) => {
      decodeBeginning(Buffer.from(bytes), coding)
    }),
  )
})
