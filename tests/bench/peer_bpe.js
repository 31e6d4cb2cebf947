// What `make bench` compares the tokenizer with: Hugging Face's (npm "tokenizers").
//
// Usage: NODE_PATH=<node_modules> node peer_bpe.js FILE.jsonl FIELD N_TRAIN [REPEAT]
// Trains on the first N_TRAIN texts until no pair is left and encodes all of them, one thread,
// and prints one JSON object with train_ms and encode_ms, the best of REPEAT runs, and
// bench/bpe.c's hash over merges and ids. Exit code 77 without the package.
process.env.TOKENIZERS_PARALLELISM = 'false';
process.env.RAYON_NUM_THREADS = '1';
const crypto = require('crypto');
const fs = require('fs');
const os = require('os');
const path = require('path');

let T;
try {
  T = require('tokenizers');
} catch {
  process.exit(77);
}

const ms = () => Number(process.hrtime.bigint()) / 1e6;

// The 256 bytes' stand-ins, as GPT-2 has them, in the order of their code points.
function alphabet() {
  const printable = (b) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  const codes = [];
  let n = 256;
  for (let b = 0; b < 256; b++) codes.push(printable(b) ? b : n++);
  return codes.sort((a, b) => a - b).map((c) => String.fromCodePoint(c));
}

function pretokenized(model) {
  const t = new T.Tokenizer(model);
  t.setPreTokenizer(T.byteLevelPreTokenizer(false));
  return t;
}

// Our ids for the merges that training found.
function vocabulary(merges) {
  const vocab = { '<|endoftext|>': 0 };
  let n = 1;
  for (const c of alphabet()) vocab[c] = n++;
  for (const [a, b] of merges) if (!(a + b in vocab)) vocab[a + b] = n++;
  return vocab;
}

function hash(vocab, merges, encoded) {
  const h = crypto.createHash('sha256');
  for (const [a, b] of merges) h.update(new Int32Array([vocab[a], vocab[b]]));
  for (const ids of encoded) {
    h.update(new BigUint64Array([BigInt(ids.length)]));
    h.update(new Int32Array(ids));
  }
  return h.digest('hex');
}

async function main() {
  const [file, field, nTrain, repeat] = process.argv.slice(2);
  const texts = fs.readFileSync(file, 'utf8').trim().split('\n').map((l) => JSON.parse(l)[field]);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'peer-bpe-'));
  const lines = path.join(dir, 'texts');
  const saved = path.join(dir, 'tokenizer.json');
  fs.writeFileSync(lines, texts.slice(0, Number(nTrain)).join('\n'));
  let train = Infinity, encode = Infinity, merges, vocab, encoded;
  for (let i = 0; i < Number(repeat || 3); i++) {
    const trained = pretokenized(T.BPE.empty());
    let start = ms();
    trained.train([lines]);
    train = Math.min(train, ms() - start);
    trained.save(saved);
    merges = JSON.parse(fs.readFileSync(saved, 'utf8')).model.merges;
    vocab = vocabulary(merges);
    const tokenizer = pretokenized(T.BPE.init(vocab, merges));
    start = ms();
    encoded = await tokenizer.encodeBatch(texts);
    encode = Math.min(encode, ms() - start);
    encoded = encoded.map((e) => e.getIds());
  }
  fs.rmSync(dir, { recursive: true });
  console.log(JSON.stringify({ train_ms: train, encode_ms: encode, hash: hash(vocab, merges, encoded) }));
}
main();
