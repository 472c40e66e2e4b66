import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { DamagedValueError } from './driver.js'

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const PROTOCOL = 15
const TOOBIG = 18
const CONSTRAINT = 19
const MISMATCH = 20
const NOTADB = 26
const SQL_ERROR = 1

/** File system errors that mean "no room". */
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT'])
/** File system errors that mean "not for you to write". */
const NO_WRITING = new Set(['EROFS', 'EACCES', 'EPERM'])

/** Fewer free blocks than this, and an otherwise unexplained write error is put down to a full disk. */
const SCARCE_BLOCKS = 64

/** What SQLite says of a result code. The binding's `all` passes on the words alone. */
const RESULT_TEXTS = new Map([
  ['database is locked', BUSY],
  ['database table is locked', LOCKED],
  ['attempt to write a readonly database', READONLY],
  ['disk I/O error', IOERR],
  ['database disk image is malformed', CORRUPT],
  ['database or disk is full', FULL],
  ['unable to open database file', CANTOPEN],
  ['locking protocol', PROTOCOL],
  ['file is not a database', NOTADB],
])

/** SQLite's result code of an error, if it is one of SQLite's. The lower eight bits are the primary code. */
function fullResultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode
  return systemCode(error) === 'ERR_SQLITE_ERROR' ? RESULT_TEXTS.get(error.message) : undefined
}

function resultCode(error: unknown): number | undefined {
  const code = fullResultCode(error)
  return code === undefined ? undefined : code & 0xff
}

/** The error name of a failed system call, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** Whether another connection is in the way and waiting a little helps. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code === BUSY || code === LOCKED || code === PROTOCOL
}

/** Whether the file is there but cannot be opened in the wanted way. */
export function cannotOpen(error: unknown): boolean {
  const code = resultCode(error)
  return code === CANTOPEN || code === READONLY
}

/** The vault at `path` does not hold what a vault holds. */
export function corruptError(path: string, what: string, cause?: unknown): KeymuxError {
  return new KeymuxError('vault_corrupt', `${printable(path)} ${what}`, {
    hint: 'restore a backup with keymux vault restore',
    cause,
  })
}

/** There is something already where a new vault is to be. */
export function existsError(path: string, cause?: unknown): KeymuxError {
  return new KeymuxError('vault_exists', `${printable(path)} exists already`, {
    hint: 'use it, or choose another place with --vault',
    cause,
  })
}

/** Somebody held the lock for longer than we wait. */
export function busyError(path: string): KeymuxError {
  return new KeymuxError('storage_busy', `another process keeps ${printable(path)} locked`, {
    hint: 'try again, or end the other process',
  })
}

/** The file cannot be written to, or nothing can be created beside it. */
export function readOnlyError(path: string, cause?: unknown): KeymuxError {
  return new KeymuxError('storage_read_only', `${printable(path)} or its folder is read-only`, {
    hint: 'make both writable, or use another vault with --vault',
    cause,
  })
}

/** The one place where the errors of SQLite and of the file system become keymux's. */
export function storageError(error: unknown, path: string): KeymuxError {
  if (error instanceof KeymuxError) return error
  const cause = describe(error)
  const unavailable = (what: string): KeymuxError =>
    new KeymuxError('storage_unavailable', `${printable(path)} ${what}`, { cause })
  if (isFull(error, path)) {
    return new KeymuxError('storage_full', `no room is left on the disk of ${printable(path)}`, {
      hint: 'free some space; nothing has been lost',
      cause,
    })
  }
  if (error instanceof DamagedValueError) return corruptError(path, 'is damaged', cause)
  switch (resultCode(error)) {
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return busyError(path)
    case READONLY:
      return readOnlyError(path, cause)
    case NOTADB:
      return corruptError(path, 'is not a vault', cause)
    case CORRUPT:
    case CONSTRAINT:
    case MISMATCH:
    case SQL_ERROR:
      return corruptError(path, 'is damaged', cause)
    case TOOBIG:
      return new KeymuxError('invalid_value', 'the value is too large to be stored', { cause })
    case IOERR:
    case CANTOPEN:
      return unavailable('cannot be read or written')
  }
  const code = systemCode(error)
  if (code === 'ERR_OUT_OF_RANGE') return corruptError(path, 'is damaged', cause)
  if (code !== undefined && NO_WRITING.has(code)) return readOnlyError(path, cause)
  return unavailable('cannot be used')
}

function isFull(error: unknown, path: string): boolean {
  const code = resultCode(error)
  if (code === FULL) return true
  if (code === IOERR || code === CANTOPEN) return freeBlocks(path) < SCARCE_BLOCKS
  return NO_ROOM.has(systemCode(error) ?? '')
}

function freeBlocks(path: string): number {
  try {
    return statfsSync(dirname(path)).bavail
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** An error without statement text: SQLite's own messages name tables and columns. */
function describe(error: unknown): unknown {
  if (systemCode(error) !== 'ERR_SQLITE_ERROR') return error
  return new Error(`SQLite result ${fullResultCode(error) ?? 'unknown'}`)
}
