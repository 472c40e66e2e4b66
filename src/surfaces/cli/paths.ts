import { posix, win32 } from 'node:path'

/** What the default places depend on. */
export interface PathFacts {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
}

/** Kinds of folders, after the XDG base directory specification. */
export type FolderKind = 'data' | 'config' | 'state'

const XDG: Readonly<Record<FolderKind, { variable: string; fallback: readonly string[] }>> = {
  data: { variable: 'XDG_DATA_HOME', fallback: ['.local', 'share'] },
  config: { variable: 'XDG_CONFIG_HOME', fallback: ['.config'] },
  state: { variable: 'XDG_STATE_HOME', fallback: ['.local', 'state'] },
}

/**
 * The folder of keymux for data, config or state. XDG variables count on every platform; without them
 * macOS has `Library/Application Support`, Windows `%LOCALAPPDATA%` (config: `%APPDATA%`, which roams).
 */
export function keymuxFolder(kind: FolderKind, { platform, env, home }: PathFacts): string {
  const path = platform === 'win32' ? win32 : posix
  const { variable, fallback } = XDG[kind]
  const wanted = env[variable]
  // The specification says to ignore relative paths.
  if (wanted !== undefined && path.isAbsolute(wanted)) return path.join(wanted, 'keymux')
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', 'keymux')
  if (platform !== 'win32') return path.join(home, ...fallback, 'keymux')
  const appData = kind === 'config' ? env.APPDATA : env.LOCALAPPDATA
  const folder = kind === 'config' ? 'Roaming' : 'Local'
  const base =
    appData !== undefined && path.isAbsolute(appData) ? appData : path.join(home, 'AppData', folder)
  return path.join(base, 'keymux')
}

/** Where the vault is unless told otherwise. */
export function defaultVaultPath(facts: PathFacts): string {
  return (facts.platform === 'win32' ? win32 : posix).join(keymuxFolder('data', facts), 'vault.db')
}

/** Where the config is unless told otherwise. */
export function defaultConfigPath(facts: PathFacts): string {
  return (facts.platform === 'win32' ? win32 : posix).join(keymuxFolder('config', facts), 'config.yaml')
}
