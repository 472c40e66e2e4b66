import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_PART_BYTES, metaBucket, pad, secretBucket, unpad } from './padding.js'

test('metadata: multiples of 128 up to 1 KiB, then powers of two', () => {
  expect([0, 1, 128, 129, 600, 1000, 1024, 1025, 2048, 2049].map(metaBucket)).toEqual([
    128, 128, 128, 256, 640, 1024, 1024, 2048, 2048, 4096,
  ])
})

test('secrets: powers of two from 128', () => {
  expect([0, 128, 129, 300, 513, 1025].map(secretBucket)).toEqual([128, 128, 256, 512, 1024, 2048])
})

test('what was padded comes back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(32), fc.boolean(), (data, reserved, meta) => {
      const padded = pad(data, meta ? metaBucket : secretBucket, reserved)
      expect(padded.length % 128).toBe(0)
      expect(unpad(padded, reserved)).toEqual(Buffer.from(data))
    }),
  )
})

test('a length that does not fit is refused', () => {
  expect(unpad(Buffer.alloc(3))).toBeUndefined()
  expect(unpad(Buffer.from([0, 0, 0, 1]))).toBeUndefined()
  expect(unpad(Buffer.alloc(8, 0xff))).toBeUndefined()
  expect(unpad(Buffer.from([0, 0, 0, 0]))).toEqual(Buffer.alloc(0))
})

test('16 MiB is the most', () => {
  expect(pad(Buffer.alloc(MAX_PART_BYTES), secretBucket).length).toBe(2 * MAX_PART_BYTES)
  expect(() => pad(Buffer.alloc(MAX_PART_BYTES + 1), secretBucket)).toThrow('at most 16 MiB')
})
