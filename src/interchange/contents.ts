import { KeymuxError } from '../domain/errors.js'
import { type JsonEntry, JsonReader, parseJson, unexpected } from '../domain/json-reader.js'
import type { FileContents } from './draft.js'

const MIB = 1024 * 1024

/** The largest file of another tool that is read: 64 MiB. */
export const MAX_FILE_BYTES: number = 64 * MIB

/** The largest export of our own that is read, sealed or not: 256 MiB. */
export const MAX_EXPORT_BYTES: number = 256 * MIB

/** The largest export that is sealed: as armored text it stays below {@link MAX_EXPORT_BYTES}. */
export const MAX_SEALED_BYTES: number = 160 * MIB

/** The largest number of entries that is read from another tool's file. */
export const MAX_ENTRIES = 100_000

/**
 * A file's text, without a byte order mark. UTF-8, or UTF-16 with its mark as Windows shells write it.
 *
 * @throws KeymuxError `invalid_import`
 */
export function readText(contents: FileContents, limit: number = MAX_FILE_BYTES): string {
  checkSize(contents, limit)
  if (typeof contents === 'string') return contents.startsWith('\ufeff') ? contents.slice(1) : contents
  const encoding = contents[0] === 0xff && contents[1] === 0xfe ? 'utf-16le' : 'utf-8'
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(contents)
  } catch {
    throw new KeymuxError('invalid_import', 'this is not a text file')
  }
}

/** The object that a JSON file holds. @throws KeymuxError `invalid_import` */
export function readObject(contents: FileContents): JsonReader {
  return new JsonReader(parseJson(readText(contents)), '')
}

/** The entries of the object that a JSON file holds. @throws KeymuxError `invalid_import` */
export function readEntries(contents: FileContents): JsonEntry[] {
  const file = parseJson(readText(contents))
  // Wrapped: the reader gives the entries of a field, not those of the document itself.
  if (typeof file !== 'object' || file === null || Array.isArray(file)) throw unexpected('', 'an object')
  return new JsonReader({ file }, '').entries('file')
}

/** @throws KeymuxError `invalid_import` for more than `limit` bytes */
export function checkSize(contents: FileContents, limit: number): void {
  if (contents.length > limit) {
    throw new KeymuxError('invalid_import', `the file is larger than ${limit / MIB} MiB`)
  }
}
