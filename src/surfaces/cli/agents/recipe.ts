import type { JsonObject } from '../../../domain/json-reader.js'

/** How far a recipe was tried. */
export interface Trial {
  /** The program's version, or the commit of the source that was read. */
  readonly version: string
  /** `run`: with the program itself. `source`: its source or documentation was read. `untried`: neither. */
  readonly how: 'run' | 'source' | 'untried'
}

/** A text, or one for each platform; a platform without one sets nothing. */
export type PlatformText = string | Readonly<Partial<Record<NodeJS.Platform, string>>>

/** A file that lasts as long as the program runs, private to its user. Its name may be used as `{file:NAME}`. */
export type RecipeFile = {
  readonly name: string
} & (
  | { readonly text: string }
  | {
      readonly json: JsonObject
      /** The file that the program would read otherwise: ours is laid over what stands there. */
      readonly over: { readonly variable: string; readonly path: PlatformText }
    }
)

/** A file of the user's settings that is looked into. */
export interface SettingsPlace {
  /** The variable that names the folder, and the file in it. */
  readonly variable: string
  readonly within: string
  /** Without the variable: in the home folder. */
  readonly home: string
}

/** A change that is made only where the user's own settings would lead past the gateway. */
export interface Conflict {
  readonly file: SettingsPlace
  /** Where in its JSON, and what has to stand there. */
  readonly at: readonly string[]
  readonly is: string
  readonly change: Change
}

/**
 * What is done to a program's environment and arguments. Texts, and those in JSON, may hold
 *
 * - `{base}`: the gateway's address of the provider, without a slash at its end
 * - `{provider}`: keymux's name of the provider
 * - `{token}`: the gateway's token; never in arguments or files, which others may read
 * - `{key}`: the variable that holds the token for the provider's own SDKs
 * - `{file:NAME}`: the path of one of `files`
 */
export interface Change {
  readonly set?: Readonly<Record<string, string>>
  /** Set where the user has set nothing. */
  readonly preset?: Readonly<Record<string, PlatformText>>
  /** Taken away, because it would lead past the gateway. */
  readonly unset?: readonly string[]
  /** JSON in a variable, laid over what the user has there. */
  readonly merge?: { readonly variable: string; readonly json: JsonObject }
  /** Go right after the program's name. */
  readonly args?: readonly string[]
  /** An option of the user's own that takes the place of `args`. */
  readonly unlessOption?: string
  readonly files?: readonly RecipeFile[]
  readonly conflict?: Conflict
}

/** What makes one coding agent use the gateway when `keymux exec --gateway` starts it. */
export interface Recipe {
  /** As the documentation calls its page. */
  readonly name: string
  /** As people call it. */
  readonly label: string
  /** The names it is started by. */
  readonly commands: readonly string[]
  /** Packages (npm, PyPI) whose program it is. */
  readonly packages: readonly string[]
  /** Its commands are words that other programs are called by too: only the package tells. */
  readonly packageOnly?: boolean
  readonly trial: Trial
  /** By provider; the first of `exec`'s providers that stands here counts, or all of them with `several`. */
  readonly providers: Readonly<Record<string, Change>>
  readonly several?: boolean
  /** Done once, whatever the provider. */
  readonly always?: Change
  /** First arguments that speak to no provider: with these no arguments are added. */
  readonly subcommands?: readonly string[]
  /**
   * What to write into the program's own settings, and where, because nothing in its environment reaches it,
   * or not all of it. Texts as in a {@link Change}, without the token.
   */
  readonly byHand?: readonly string[]
  /** It takes neither base URL nor key from its environment: whoever starts it is warned. */
  readonly ignoresEnvironment?: boolean
}
