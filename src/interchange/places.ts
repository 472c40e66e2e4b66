import { posix, win32 } from 'node:path'
import type { Environment } from './draft.js'

/** Joins the parts of a path of `platform` (as `process.platform` names it). */
export function joinPath(platform: string, ...parts: readonly string[]): string {
  return (platform === 'win32' ? win32 : posix).join(...parts)
}

/** The folder that a variable names, or `otherwise` below the home folder when it is not set. */
export function folder(
  env: Environment,
  variable: string,
  platform: string,
  home: string,
  ...otherwise: readonly string[]
): string {
  return env[variable] || joinPath(platform, home, ...otherwise)
}
