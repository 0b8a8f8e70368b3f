/** The page's words in the language chosen. */
import { en, type Word } from "./words-en.ts";
import { zh } from "./words-zh.ts";

export type Language = "en" | "zh";
export type { Word };

let language: Language = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";

export function currentLanguage(): Language {
  return language;
}

export function useLanguage(wanted: Language): void {
  language = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
}

/** The text of a word in the present language, its `{places}` filled. */
export function say(word: Word, places: Readonly<Record<string, string | number>> = {}): string {
  const text = (language === "zh" ? zh : en)[word];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(places[name] ?? ""));
}

/** A cause in words; one this page does not know yet is shown as the service spells it. */
export function sayCause(cause: string): string {
  const word = `cause.${cause}`;
  return word in en ? say(word as Word) : cause;
}

export function sayState(state: string): string {
  const word = `state.${state}`;
  return word in en ? say(word as Word) : state;
}
