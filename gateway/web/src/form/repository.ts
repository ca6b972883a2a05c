// The CRD's rules about names, images, a repository's address and its branches (crds/src/parts.rs, crds/src/rules.rs), in its words.

interface TextRule {
  broken: (text: string) => boolean;
  words: string;
}

export const characters = (text: string): number => [...text].length;

const URL_RULES: TextRule[] = [
  { broken: (url) => !/^https?:\/\/[^/]/.test(url), words: "must begin with http:// or https:// and name a host" },
  { broken: (url) => /^[a-zA-Z]+:\/\/[^/]*@/.test(url), words: "must not hold a user or password: put them into a Secret and name it in repository.secretRef" },
  // eslint-disable-next-line no-control-regex -- control characters are what the rule refuses
  { broken: (url) => /[\s\x00-\x1f\x7f]/.test(url), words: "must not hold spaces or control characters" },
  { broken: (url) => characters(url) > 2048, words: "must be at most 2048 characters" },
];

const BRANCH_RULES: TextRule[] = [
  { broken: (branch) => characters(branch) > 100, words: "must be 1 to 100 characters" },
  {
    // eslint-disable-next-line no-control-regex -- control characters are what the rule refuses
    broken: (branch) => /[\s\x00-\x1f\x7f~^:?*[\\]/.test(branch),
    words: "must not hold spaces, control characters or any of ~ ^ : ? * [ \\",
  },
  { broken: (branch) => branch === "@" || /\.\.|\/\/|@\{/.test(branch), words: "must not be '@' nor hold '..', '//' or '@{'" },
  {
    broken: (branch) => /(^|\/)\.|\.lock(\/|$)|^[-/]|[./]$/.test(branch),
    words: "must not begin with '-' or '/', end with '.' or '/', nor have a part that begins with '.' or ends with '.lock'",
  },
];

/** What is wrong with an address, as the API would say it of this field. */
export function urlMistake(field: string, url: string): string | undefined {
  return mistake(URL_RULES, field, url);
}

/** What is wrong with a branch. None that is not given is wrong. */
export function branchMistake(field: string, branch: string): string | undefined {
  return branch === "" ? undefined : mistake(BRANCH_RULES, field, branch);
}

function mistake(rules: TextRule[], field: string, text: string): string | undefined {
  const words = rules.find(({ broken }) => broken(text))?.words;
  return words === undefined ? undefined : `${field} ${words}`;
}

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** What is wrong with a name; `because` is what is made from it. One that is not given is made by the cluster. */
export function nameMistake(name: string, because: string): string | undefined {
  if (name === "" || (name.length <= 52 && NAME.test(name))) return undefined;
  return `metadata.name must be at most 52 characters of a-z, 0-9 and '-', without dots: ${because}`;
}

const IMAGE_CHARACTERS = 512;

/** What is wrong with an image. None that is not given is wrong. */
export function imageMistake(image: string): string | undefined {
  return characters(image) > IMAGE_CHARACTERS ? `image must be at most ${IMAGE_CHARACTERS} characters` : undefined;
}
