// An exported tokenizer in Hugging Face's tokenizers (npm "tokenizers").
//
// Usage: NODE_PATH=<node_modules> node exported.js TOKENIZER.json TEXTS.jsonl IDS.json
// IDS is what `parzen tokenizer encode --json` printed for the field "text" of
// TEXTS: Hugging Face's ids must be the same. Prints how many texts were
// compared; exit code 1 at the first difference, 77 without the package.
const fs = require('fs');

let T;
try {
  T = require('tokenizers');
} catch {
  process.exit(77);
}

async function main() {
  const [tokenizerFile, textsFile, idsFile] = process.argv.slice(2);
  const tokenizer = T.Tokenizer.fromFile(tokenizerFile);
  const texts = fs.readFileSync(textsFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line).text);
  const ids = JSON.parse(fs.readFileSync(idsFile, 'utf8'));
  if (texts.length !== ids.length) {
    console.log(`${texts.length} texts, ${ids.length} lists of ids`);
    return 1;
  }
  for (let i = 0; i < texts.length; i++) {
    const theirs = (await tokenizer.encode(texts[i])).getIds();
    if (JSON.stringify([...theirs]) !== JSON.stringify(ids[i])) {
      console.log(`text ${i}: Hugging Face ${theirs}, ours ${ids[i]}`);
      return 1;
    }
  }
  console.log(`${texts.length} texts: the same ids`);
  return 0;
}

main().then((code) => process.exit(code));
