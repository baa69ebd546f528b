//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"

	"ago/vm"

	"pgregory.net/rapid"
)

// TestLateCommitsCannotBeNoticed does the same with an engine that commits late and with one that never does, in any
// order, and compares everything that can be seen. AGO_LONG=1 does it more often.
func TestLateCommitsCannotBeNoticed(t *testing.T) { bothWays(t, testLate) }

func testLate(t *testing.T, late *engine) {
	prompt := testEngine(t, Config{})
	late.lateMax, late.lateAfter = 4, 1
	prompt.lateMax = 0
	module := vm.Module{ID: "aos", Format: format64, Bytes: moduleFile(t, "aos2_0_6")}
	wasLate := 0
	checks, growing := "3", "S = nil"
	if os.Getenv("AGO_LONG") != "" {
		checks, growing = "15", "Big = string.rep('x', 80 * 1024 * 1024)"
	}
	defer flag.Set("rapid.checks", flag.Lookup("rapid.checks").Value.String())
	flag.Set("rapid.checks", checks)
	rapid.Check(t, func(t *rapid.T) {
		var pair [2]*instance
		var forks [2]vm.Fork
		var chain [2][][]byte
		p := newTalk(1)
		each := func(f func(k int)) {
			for k := range 2 {
				f(k)
			}
		}
		each(func(k int) {
			i, err := []*engine{late, prompt}[k].New(context.Background(), module, vm.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			pair[k] = i.(*instance)
		})
		defer each(func(k int) {
			if forks[k] != nil {
				forks[k].Close()
			}
			pair[k].Close()
		})
		// both evaluates and settles the same on both.
		both := func(in vm.Input, keep bool, between func()) {
			var outs [2]vm.Output
			each(func(k int) {
				out, err := pair[k].Eval(context.Background(), in)
				if err != nil {
					t.Fatal(err)
				}
				outs[k] = out
			})
			if between != nil {
				between()
			}
			pair[0].wary = 0
			each(func(k int) {
				var err error
				if keep {
					err = pair[k].Commit()
				} else {
					err = pair[k].Rollback()
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			if !bytes.Equal(outs[0].Response, outs[1].Response) {
				t.Fatalf("late: %s\nprompt: %s", outs[0].Response, outs[1].Response)
			}
			wasLate += len(pair[0].image.behind)
		}
		ask := func() {
			if forks[0] == nil {
				return
			}
			var outs [2]vm.Output
			each(func(k int) {
				if err := forks[k].Refresh(context.Background()); err != nil {
					t.Fatal(err)
				}
				out, err := forks[k].Eval(context.Background(), p.eval("N = (N or 0) + 1 return N .. ' ' .. os.clock()"))
				if err != nil {
					t.Fatal(err)
				}
				outs[k] = out
				if k == 0 {
					p.nonce--
				}
			})
			if !bytes.Equal(outs[0].Response, outs[1].Response) {
				t.Fatalf("a fork of the late one answers %s, of the prompt one %s", outs[0].Response, outs[1].Response)
			}
		}
		snapshot := func(full bool) {
			each(func(k int) {
				var b bytes.Buffer
				if err := pair[k].Snapshot(&b, full || len(chain[k]) == 0); err != nil {
					t.Fatal(err)
				}
				chain[k] = append(chain[k], b.Bytes())
			})
		}
		both(p.boot(), true, nil)
		code := rapid.SampledFrom([]string{
			"N = (N or 0) + 1 return N", "T = T or {} T[#T+1] = os.clock() return #T", "print('x') return os.clock()",
			"S = string.rep('s', 50000)", "return collectgarbage('count')",
		})
		t.Repeat(map[string]func(*rapid.T){
			"commit":  func(t *rapid.T) { both(p.eval(code.Draw(t, "code")), true, nil) },
			"commit2": func(t *rapid.T) { both(p.eval(code.Draw(t, "code")), true, nil) },
			"commit3": func(t *rapid.T) { both(p.eval(code.Draw(t, "code")), true, nil) },
			"refuse":  func(t *rapid.T) { both(p.eval(code.Draw(t, "code")+" error('no')"), false, nil) },
			"grow and refuse": func(t *rapid.T) {
				both(p.eval(growing), false, nil)
			},
			"fork": func(t *rapid.T) {
				if forks[0] == nil {
					each(func(k int) {
						f, err := pair[k].Fork(context.Background())
						if err != nil {
							t.Fatal(err)
						}
						forks[k] = f
					})
				}
				ask()
			},
			"unfork": func(t *rapid.T) {
				if forks[0] != nil {
					each(func(k int) { forks[k].Close(); forks[k] = nil })
				}
			},
			"look while it evaluates": func(t *rapid.T) {
				how := rapid.IntRange(0, 2).Draw(t, "how")
				both(p.eval(code.Draw(t, "code")), rapid.Bool().Draw(t, "keep"), func() {
					switch how {
					case 0:
						if forks[0] == nil {
							each(func(k int) {
								f, err := pair[k].Fork(context.Background())
								if err != nil {
									t.Fatal(err)
								}
								forks[k] = f
							})
						}
						ask()
					case 1:
						snapshot(rapid.Bool().Draw(t, "full"))
					case 2:
						var sums [2]bytes.Buffer
						each(func(k int) {
							if _, err := pair[k].Memory(&sums[k]); err != nil {
								t.Fatal(err)
							}
						})
						if !bytes.Equal(sums[0].Bytes(), sums[1].Bytes()) {
							t.Fatal("the memories differ while an evaluation runs")
						}
					}
				})
			},
			"snapshot": func(t *rapid.T) { snapshot(rapid.Bool().Draw(t, "full")) },
			"restore": func(t *rapid.T) {
				if len(chain[0]) == 0 {
					return
				}
				each(func(k int) {
					var from []io.Reader
					for _, b := range chain[k] {
						from = append(from, bytes.NewReader(b))
					}
					i, err := pair[k].engine.Restore(context.Background(), module, vm.Limits{}, from...)
					if err != nil {
						t.Fatal(err)
					}
					if forks[k] != nil {
						forks[k].Close()
						forks[k] = nil
					}
					pair[k].Close()
					pair[k] = i.(*instance)
				})
			},
			"compare": func(t *rapid.T) {
				if a, b := stateSum(pair[0]), stateSum(pair[1]); a != b {
					t.Fatalf("the states differ: %v %v", a, b)
				}
				if a, b := liveSum(pair[0].machine), liveSum(pair[1].machine); a != b || a != stateSum(pair[0]) {
					t.Fatalf("the live memories differ")
				}
				if fmt.Sprint(pair[0].image.host) != fmt.Sprint(pair[1].image.host) {
					t.Fatalf("the host states differ: %v %v", pair[0].image.host, pair[1].image.host)
				}
			},
		})
	})
	if wasLate == 0 {
		t.Error("no commit came late, so this test shows nothing")
	}
}
