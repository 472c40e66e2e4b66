import { KeymuxError } from './errors.js'

/** A file system error as keymux reports it. */
export function fileError(path: string, error: unknown): KeymuxError {
  const code = (error as NodeJS.ErrnoException).code
  switch (code) {
    case 'ENOENT':
      return new KeymuxError('file_not_found', `there is no file ${path}`, { cause: error })
    case 'EEXIST':
      return new KeymuxError('file_exists', `${path} exists already`, {
        hint: 'choose another name',
        cause: error,
      })
    case 'ENOSPC':
    case 'EDQUOT':
      return new KeymuxError('storage_full', `there is no space left for ${path}`, { cause: error })
    case 'EROFS':
      return new KeymuxError('storage_read_only', `${path} is on a read-only file system`, { cause: error })
    case 'ELOOP':
      return new KeymuxError('unsafe_permissions', `${path} is a symbolic link`, {
        hint: 'name the file itself',
        cause: error,
      })
    default:
      return new KeymuxError('storage_unavailable', `${path} cannot be used (${code ?? 'unknown error'})`, {
        cause: error,
      })
  }
}
