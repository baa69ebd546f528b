package rewrite

import "testing"

const legacyPrelude = `(tag $a (param i32)) (tag $b) (tag $c (param i64 f32))
		(func $throw (param i32)
			(if (i32.eq (local.get 0) (i32.const 1)) (then (throw $a (i32.const 100))))
			(if (i32.eq (local.get 0) (i32.const 2)) (then (throw $b)))
			(if (i32.eq (local.get 0) (i32.const 3)) (then (throw $c (i64.const 7) (f32.const 1)))))
		`

// Each f takes a number that chooses a path; want lists its results for 0, 1, 2 and so on. A want of -1 is an
// exception that leaves f. A browser gives the same results for the modules as they are.
var legacyCases = []struct {
	name, text string
	want       []int32
}{
	{"no handler", `(func (export "f") (param i32) (result i32)
			try (result i32) local.get 0 call $throw i32.const 5 end)`, []int32{5, -1, -1, -1}},
	{"one tag", `(func (export "f") (param i32) (result i32)
			try (result i32) local.get 0 call $throw i32.const 5 catch $a end)`, []int32{5, 100, -1, -1}},
	{"all", `(func (export "f") (param i32) (result i32)
			try (result i32) local.get 0 call $throw i32.const 5 catch_all i32.const 6 end)`, []int32{5, 6, 6, 6}},
	{"three handlers", `(func (export "f") (param i32) (result i32)
			try (result i32) local.get 0 call $throw i32.const 5
			catch $a i32.const 1 i32.add
			catch $c drop i32.wrap_i64
			catch_all i32.const 6 end)`, []int32{5, 101, 6, 7}},
	{"branches out of the body and the handlers", `(func (export "f") (param i32) (result i32)
			block $x
			  block $y
			    try $t
			      local.get 0 call $throw
			      local.get 0 i32.const 4 i32.eq br_if $x
			      local.get 0 i32.const 5 i32.eq br_if $t
			      local.get 0 br_table $y $y $y $y $y $y $x $y
			    catch $a
			      i32.const 100 i32.eq br_if $y
			      unreachable
			    catch $b
			      br $t
			    catch_all
			      br $x
			    end
			    i32.const 1 return
			  end
			  i32.const 2 return
			end
			i32.const 3)`, []int32{2, 2, 1, 3, 3, 1, 3, 2}},
	{"rethrow", `(func $g (param i32) (result i32)
			try (result i32) local.get 0 call $throw i32.const 5
			catch $a drop rethrow 0
			catch_all i32.const 8 end)
			(func (export "f") (param i32) (result i32)
			try (result i32) local.get 0 call $g catch $a i32.const 1 i32.add end)`, []int32{5, 101, 8, 8}},
	{"rethrow from within", `(func (export "f") (param i32) (result i32)
			try (result i32)
			  try (result i32)
			    local.get 0 call $throw i32.const 5
			  catch_all
			    try
			      i32.const 2 call $throw
			    catch_all
			      block
			        local.get 0 i32.const 1 i32.eq
			        if rethrow 3 end
			        rethrow 1
			      end
			    end
			    i32.const 55
			  end
			catch $a
			catch $b i32.const 22
			end)`, []int32{5, 100, 22, 22}},
	{"delegate to the try around", `(func (export "f") (param i32) (result i32)
			try $outer (result i32)
			  try (result i32)
			    try (result i32)
			      local.get 0 call $throw i32.const 5
			    delegate $outer
			    i32.const 10 i32.add
			  catch_all i32.const 66 end
			  i32.const 20 i32.add
			catch $a
			catch_all i32.const 77 end)`, []int32{35, 100, 77, 77}},
	{"delegate to the caller", `(func $g (param i32) (result i32)
			try (result i32)
			  try (result i32)
			    local.get 0 call $throw i32.const 5
			  delegate 1
			catch_all i32.const 66 end)
			(func (export "f") (param i32) (result i32)
			try (result i32) local.get 0 call $g catch $a end)`, []int32{5, 100, -1, -1}},
	{"delegate to a block is to the try around it", `(func (export "f") (param i32) (result i32)
			try (result i32)
			  block $block (result i32)
			    try (result i32)
			      try (result i32)
			        local.get 0 call $throw i32.const 5
			      delegate $block
			    catch_all i32.const 66 end
			  end
			catch_all i32.const 77 end)`, []int32{5, 77, 77, 77}},
	{"delegate from a handler goes outside of its try", `(func (export "f") (param i32) (result i32)
			try (result i32)
			  try $t (result i32)
			    i32.const 2 call $throw i32.const 1
			  catch $b
			    try (result i32)
			      local.get 0 call $throw i32.const 5
			    delegate $t
			  catch_all i32.const 66 end
			catch $a
			catch_all i32.const 77 end)`, []int32{5, 100, 77, 77}},
	{"delegate to a delegate", `(func (export "f") (param i32) (result i32)
			try $u (result i32)
			  try (result i32)
			    try $t (result i32)
			      try (result i32)
			        try (result i32)
			          local.get 0 call $throw i32.const 5
			        delegate $t
			      catch_all i32.const 44 end
			    delegate $u
			  catch_all i32.const 66 end
			catch $a
			catch_all i32.const 77 end)`, []int32{5, 100, 77, 77}},
	{"delegate to a try without handlers", `(func (export "f") (param i32) (result i32)
			try (result i32)
			  try $t (result i32)
			    try (result i32)
			      try (result i32)
			        local.get 0 call $throw i32.const 5
			      delegate $t
			    catch_all i32.const 44 end
			  end
			catch $a
			catch_all i32.const 77 end)`, []int32{5, 100, 77, 77}},
	{"parameters and two results", `(func (export "f") (param i32) (result i32)
			i32.const 3 i64.const 4
			try (param i32 i64) (result i32 i64)
			  local.get 0 call $throw
			catch $a i64.const 9
			catch $c drop i32.wrap_i64 i64.const 2
			catch_all i32.const 30 i64.const 1
			end
			i32.wrap_i64 i32.add)`, []int32{7, 109, 31, 9}},
	{"parameters and a delegate", `(func (export "f") (param i32) (result i32)
			i32.const 3 i64.const 4
			try $t (param i32 i64) (result i32 i64)
			  i64.const 1 i64.add
			  try
			    i64.const 0
			    try (param i64)
			      drop local.get 0 call $throw
			    delegate $t
			  catch_all end
			catch $a i64.const 9
			catch_all rethrow 0
			end
			i32.wrap_i64 i32.add)`, []int32{8, 109, -1, -1}},
	{"handlers in loops with an exception each round", `(func (export "f") (param i32) (result i32)
			(local $n i32) (local $sum i32)
			i32.const 10 local.set $n
			loop $again
			  try
			    local.get 0 call $throw
			    local.get $sum i32.const 1 i32.add local.set $sum
			  catch $a local.get $sum i32.add local.set $sum
			  catch_all
			    local.get $n i32.const 1 i32.sub local.tee $n br_if $again
			  end
			  local.get $n i32.const 1 i32.sub local.tee $n i32.const 0 i32.gt_s br_if $again
			end
			local.get $sum)`, []int32{10, 1000, 0, 0}},
	{"locals of their own", `(func (export "f") (param i32) (result i32) (local i32 i64)
			i32.const 3 local.set 1
			try (result i32) local.get 0 call $throw local.get 1
			catch_all
			  try (result i32) rethrow 1 catch $a local.get 1 i32.add end
			end)`, []int32{3, 103, -1, -1}},
}

func TestLegacyExceptions(t *testing.T) {
	for _, tc := range legacyCases {
		t.Run(tc.name, func(t *testing.T) {
			for _, o := range []struct {
				text string
				Options
			}{
				{legacyPrelude, Options{TranslateEH: true}},
				{legacyPrelude, Options{TranslateEH: true, Gas: true}},
				// A tag the host knows: exceptions are not pooled.
				{legacyPrelude + `(export "a" (tag $a))`, Options{TranslateEH: true}},
			} {
				out, _ := rewrite(t, assemble(t, o.text+tc.text), o.Options)
				r := start(t, out, nil)
				for i, want := range tc.want {
					got, err := r.call("f", int32(i))
					if want == -1 && err == nil || want != -1 && got != want {
						t.Errorf("%s\ngas %v: f(%d) = %v, %v, want %d", o.text, o.Gas, i, got, err, want)
					}
				}
			}
		})
	}
}

func TestTranslatedThrowsKeepNoMemory(t *testing.T) {
	out, _ := rewrite(t, assemble(t, `(tag $e (param i32 f64))
		(func $throw (param i32) (throw $e (local.get 0) (f64.const 2)))
		(func (export "many") (param i32) (result f64) (local f64)
			loop
				try
					local.get 0 call $throw
				catch $e
					local.get 1 f64.add local.set 1
					i32.const 1 i32.sub local.tee 0 br_if 1
				end
			end
			local.get 1)`), Options{TranslateEH: true})
	throwsKeepNoMemory(t, start(t, out, nil))
}
