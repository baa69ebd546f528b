package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ago/builtin"
	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/node"
	"ago/process"
)

// networkFlags name the network a command talks to: one ago node, or the addresses of its units.
type networkFlags struct {
	Node       string `default:"http://127.0.0.1:8734" placeholder:"URL" env:"AGO_NODE" help:"Address of the node." toml:"node"`
	MuURL      string `name:"mu-url" placeholder:"URL" env:"AGO_MU_URL,MU_URL" help:"Messenger, if it is not the node's." toml:"mu-url"`
	CuURL      string `name:"cu-url" placeholder:"URL" env:"AGO_CU_URL,CU_URL" help:"Compute unit, if it is not the node's." toml:"cu-url"`
	BundlerURL string `name:"bundler-url" placeholder:"URL" env:"AGO_BUNDLER_URL,UPLOADER_URL" help:"Bundler, if it is not the node's." toml:"bundler-url"`
}

func (f networkFlags) network() *client.Network {
	n := client.At(f.Node)
	for _, o := range []struct {
		given string
		to    *string
	}{{f.MuURL, &n.MU}, {f.CuURL, &n.CU}, {f.BundlerURL, &n.Bundler}} {
		if o.given != "" {
			*o.to = o.given
		}
	}
	return n
}

// explain finds out why a network could not be talked to: often the address is that of one of its units.
func (f networkFlags) explain(o *out, err error) error {
	switch fault.CodeOf(err) {
	case "settings-malformed", "unit-unreachable", "address-missing":
		return err
	}
	if errors.Is(err, errEvaluated) || o.Err() != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(o, explainMax)
	defer cancel()
	who, asked := f.network().Identity(ctx)
	if asked == nil && who.Name == "ago" || fault.CodeOf(asked) == "unit-unreachable" || ctx.Err() != nil {
		return err
	}
	return fault.New(fault.Malformed, "settings-malformed", "%s is no ago node: %v", f.Node, err).
		WithHint("--node, or AGO_NODE, takes the address that `ago dev` prints as node, not that of one unit; other networks need --mu-url and --cu-url")
}

const explainMax = 2 * time.Second

// signerFlags name who signs.
type signerFlags struct {
	Wallet string `type:"path" placeholder:"FILE" env:"AGO_WALLET" help:"Wallet that signs (JWK); without it your own, made on first use." toml:"wallet"`
}

// walletPath is where a user's own wallet is.
func walletPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fault.Wrap(err, fault.Malformed, "settings-malformed", "there is no folder for your wallet; name one with --wallet")
	}
	return filepath.Join(dir, "ago", "wallet.json"), nil
}

func (f signerFlags) key(o *out) (*commitment.Key, error) {
	agent := commitment.NewAgent()
	if f.Wallet != "" {
		return agent.Open(f.Wallet)
	}
	path, err := walletPath()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return agent.Open(path)
	}
	key, err := makeWallet(path, commitment.Ed25519)
	if err == nil {
		fmt.Fprintf(o.stderr, "made a wallet for you: %s (%s)\n", path, key.ProcessAddress())
	}
	return key, err
}

func makeWallet(path string, kind commitment.KeyType) (*commitment.Key, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "wallet-unwritable", "the folder of the wallet")
	}
	return commitment.NewAgent().Create(path, kind, nil)
}

// walletCommand makes and shows wallets.
type walletCommand struct {
	Create walletCreate `cmd:"" help:"Make a wallet. An existing file is left alone."`
	Show   walletShow   `cmd:"" default:"withargs" help:"Show a wallet's address."`
}

type walletCreate struct {
	File string `arg:"" optional:"" type:"path" help:"File to write; without it your own wallet."`
	Type string `default:"ed25519" enum:"arweave,ed25519,ethereum,solana" help:"Kind of key: arweave (RSA), ed25519, ethereum or solana."`
}

type walletShow struct {
	File string `arg:"" optional:"" type:"path" help:"Wallet file; without it your own."`
}

type shownWallet struct {
	File    string `json:"file"`
	Type    string `json:"type"`
	Address string `json:"address"`
	Process string `json:"processAddress"`
}

// Run makes the wallet.
func (w *walletCreate) Run(o *out) error {
	path, err := orOwn(w.File)
	if err != nil {
		return err
	}
	kind, err := commitment.ParseKeyType(w.Type)
	if err != nil {
		return err
	}
	key, err := makeWallet(path, kind)
	if err != nil {
		return err
	}
	return showWallet(o, path, key)
}

// Run shows the wallet.
func (w *walletShow) Run(o *out) error {
	path, err := orOwn(w.File)
	if err != nil {
		return err
	}
	key, err := commitment.NewAgent().Open(path)
	if err != nil {
		return err
	}
	return showWallet(o, path, key)
}

func orOwn(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	return walletPath()
}

func showWallet(o *out, path string, key *commitment.Key) error {
	s := shownWallet{path, key.Type().String(), key.Address().String(), key.ProcessAddress()}
	if o.json {
		return o.encode(s)
	}
	_, err := fmt.Fprintf(o.sink(), "file     %s\ntype     %s\naddress  %s\n", s.File, s.Type, s.Address)
	if err == nil && s.Process != s.Address {
		_, err = fmt.Fprintf(o.sink(), "seen by processes as  %s\n", s.Process)
	}
	return err
}

// publishCommand puts a module on the network.
type publishCommand struct {
	networkFlags
	signerFlags
	File  string   `arg:"" type:"existingfile" help:"WebAssembly file, or any file with --plain."`
	Tag   []string `placeholder:"NAME=VALUE" sep:"none" help:"Further tag, or another value for one of the usual ones." toml:"tag"`
	Plain bool     `help:"The file is data, not a module: it gets no other tags than the given ones."`
}

// Help is shown by ago publish --help.
func (publishCommand) Help() string {
	return `Prints the id of the module. Tags that are not given: Module-Format as the file's memory tells (64-bit:
wasm64-unknown-emscripten-draft_2024_02_15, 32-bit: wasm32-unknown-emscripten4), encodings JSON-1, Memory-Limit 1-gb,
Compute-Limit 9000000000000.

  ago publish aos.wasm
  ago publish old.wasm --tag Module-Format=wasm32-unknown-emscripten2
  ago publish --plain boot.lua --tag Content-Type=text/plain      for On-Boot, or to be read by a process`
}

// Run publishes.
func (p *publishCommand) Run(o *out) error {
	data, err := os.ReadFile(p.File)
	if err != nil {
		return err
	}
	given, err := parseTags(p.Tag)
	if err != nil {
		return err
	}
	tags := given
	if !p.Plain {
		if tags, err = node.ModuleTags(data, given...); err != nil {
			return fault.Wrap(err, fault.Malformed, "module-malformed", "%s", p.File)
		}
	}
	if format, _ := process.FirstTag(tags, "Module-Format"); strings.HasPrefix(format, "wasm") && !bytes.HasPrefix(data, []byte("\x00asm")) {
		return fault.New(fault.Malformed, "module-malformed", "%s is no WebAssembly module, as its Module-Format %s says", p.File, format).
			WithHint("publish the .wasm file; a Lua text has --tag Module-Format=lua-5.3-ago.1")
	}
	key, err := p.key(o)
	if err != nil {
		return err
	}
	id, err := p.network().Publish(o, key, data, tags)
	if err != nil {
		return err
	}
	what := "module"
	if p.Plain {
		what = "data"
	}
	return printID(o, what, id)
}

func printID(o *out, name string, id message.ID) error {
	if o.json {
		return o.encode(map[string]message.ID{name: id})
	}
	_, err := fmt.Fprintln(o.sink(), id)
	return err
}

func parseTags(pairs []string) ([]ans104.Tag, error) {
	var tags []ans104.Tag
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fault.New(fault.Malformed, "settings-malformed", "%q is no NAME=VALUE", pair).WithHint("write tags like Action=Info")
		}
		tags = append(tags, ans104.Tag{Name: name, Value: value})
	}
	return tags, nil
}

// spawnCommand makes a process.
type spawnCommand struct {
	networkFlags
	signerFlags
	Module    string   `arg:"" optional:"" help:"Id of the module; without it the built-in Lua process."`
	Tag       []string `placeholder:"NAME=VALUE" sep:"none" help:"Tag of the process, e.g. Name=bank." toml:"tag"`
	Data      string   `placeholder:"TEXT" help:"Data of the process; @FILE reads a file."`
	Scheduler string   `placeholder:"ADDRESS" env:"AGO_SCHEDULER,SCHEDULER" help:"Scheduler; without it the network's." toml:"scheduler"`
	Authority string   `placeholder:"ADDRESS" help:"Whose pushed messages the process trusts; without it the network's messenger." toml:"authority"`
}

// Help is shown by ago spawn --help.
func (spawnCommand) Help() string {
	return `Prints the id of the process, which has its slot 0 then. Data with --tag On-Boot=Data is Lua that an aos process runs
first.

  ago spawn --tag Name=bank                             the built-in process, which behaves like aos
  ago spawn --tag On-Boot=Data --data @bank.lua
  ago spawn MODULE --tag Name=bank                      another module, by its id`
}

// Run spawns.
func (s *spawnCommand) Run(o *out) error {
	module := builtin.ID()
	if s.Module != "" {
		var err error
		if module, err = parseID("module", s.Module); err != nil {
			return err
		}
	}
	tags, err := parseTags(s.Tag)
	if err != nil {
		return err
	}
	if s.Authority, err = checkAddresses("--authority", s.Authority); err != nil {
		return err
	}
	if s.Scheduler, err = checkAddresses("--scheduler", s.Scheduler); err != nil {
		return err
	}
	data, err := textOrFile(o, s.Data)
	if err != nil {
		return err
	}
	key, err := s.key(o)
	if err != nil {
		return err
	}
	id, err := s.network().Spawn(o, key, client.Spawn{Module: module, Scheduler: s.Scheduler, Authority: s.Authority, Tags: tags, Data: data, Anchor: anchor()})
	if err != nil {
		return err
	}
	return printID(o, "process", id)
}

// checkAddresses takes addresses of wallets, separated by commas: 43 characters, or 0x with 40 digits.
func checkAddresses(flag, text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	for address := range strings.SplitSeq(text, ",") {
		address = strings.TrimSpace(address)
		digits, ethereum := strings.CutPrefix(address, "0x")
		_, err := hex.DecodeString(digits)
		if ethereum && len(digits) == 40 && err == nil {
			continue
		}
		if _, err := message.ParseID(address); err != nil {
			return "", fault.New(fault.Malformed, "settings-malformed", "%s: %q is no address", flag, address).
				WithHint("an address has 43 characters, or begins with 0x; without the flag it is the network's own")
		}
	}
	return text, nil
}

func parseID(what, text string) (message.ID, error) {
	id, err := message.ParseID(strings.TrimSpace(text))
	return id, fault.Wrap(err, fault.Malformed, "settings-malformed", "%s", what)
}

// textOrFile reads @FILE, - (standard input), or the text itself.
func textOrFile(o *out, text string) ([]byte, error) {
	switch {
	case text == "-":
		return io.ReadAll(o.stdin)
	case strings.HasPrefix(text, "@"):
		b, err := os.ReadFile(text[1:])
		return b, fault.Wrap(err, fault.Malformed, "settings-malformed", "the data")
	}
	return []byte(text), nil
}
