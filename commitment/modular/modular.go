// Package modular raises RSA signatures to the public exponent: the one computation that limits how many messages a node can check.
//
// A signature of 4096 bits is checked by eighteen multiplications modulo the owner. They are done in Montgomery's form on 64
// words: a product of two numbers comes out divided by R = 2^4096, and needs no division. The inner loop is in assembly for
// processors with two carry chains (ADX).
//
// RATIONALE: RSA is what limits a node first. crypto/rsa takes 240 microseconds for a signature, since its fast code ends at
// 2048 bits; math/big takes 100, and this 70.
//
// All values are public, so nothing is done in constant time: never use it with a private key.
package modular

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"math/bits"
)

// words is the size of all numbers here, the least significant word first.
const words = 64

// Size is the same in bytes, as numbers stand on the wire: big-endian.
const Size = words * 8

type number = [words]uint64

// Power65537 gives s to the power of 65537 modulo n, for numbers of Size bytes: n odd and of all 4096 bits, s below n. It is not
// ok for others.
func Power65537(n, s []byte) (power [Size]byte, ok bool) {
	if len(n) != Size || len(s) != Size || n[0]&0x80 == 0 || n[Size-1]&1 == 0 || bytes.Compare(s, n) >= 0 {
		return power, false
	}
	if !hasProduct { // math/big is the faster one then
		x := new(big.Int).SetBytes(s)
		x.Exp(x, big.NewInt(65537), new(big.Int).SetBytes(n)).FillBytes(power[:])
		return power, true
	}
	return newModulus(n).power65537(s), true
}

// modulus is an odd number of exactly 4096 bits, prepared for multiplications.
type modulus struct {
	n    number
	rr   number // R * R mod n: a product with it is the other factor times R
	ninv uint64 // -1 / n mod 2^64
}

func newModulus(b []byte) *modulus {
	m := &modulus{n: read(b)}
	inverse := m.n[0] // of itself modulo 8; each step doubles the bits that are right
	for range 5 {
		inverse *= 2 - m.n[0]*inverse
	}
	m.ninv = -inverse
	square := new(big.Int).Lsh(big.NewInt(1), 2*words*64)
	var rest [Size]byte
	m.rr = read(square.Mod(square, new(big.Int).SetBytes(b)).FillBytes(rest[:]))
	return m
}

func (m *modulus) power65537(s []byte) (power [Size]byte) {
	base := read(s)
	x := m.multiply(&base, &m.rr) // base * R
	for range 16 {
		x = m.multiply(&x, &x)
	}
	x = m.multiply(&x, &base) // without R, since base has none
	for i, w := range x {
		binary.BigEndian.PutUint64(power[Size-8-8*i:], w)
	}
	return power
}

// multiply gives x * y / R mod n, for x and y below n. Each step adds a product with one word of x, and the multiple of n that
// makes the lowest word zero, which is then left behind.
func (m *modulus) multiply(x, y *number) number {
	var t [2 * words]uint64
	var carry uint64
	for i := range words {
		part := (*number)(t[i : i+words])
		a := addProduct(part, y, x[i])
		b := addProduct(part, &m.n, part[0]*m.ninv)
		t[i+words], carry = bits.Add64(a, b, carry)
	}
	r := number(t[words:])
	if carry != 0 || !less(&r, &m.n) {
		var borrow uint64
		for i := range r {
			r[i], borrow = bits.Sub64(r[i], m.n[i], borrow)
		}
	}
	return r
}

// addProductGo adds y times x to z, and gives the word above z: what the assembly does.
func addProductGo(z, y *number, x uint64) (carry uint64) {
	for i := range z {
		hi, lo := bits.Mul64(y[i], x)
		var c uint64
		lo, c = bits.Add64(lo, z[i], 0)
		hi += c
		z[i], c = bits.Add64(lo, carry, 0)
		carry = hi + c
	}
	return carry
}

func less(a, b *number) bool {
	for i := words - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func read(b []byte) (x number) {
	for i := range x {
		x[i] = binary.BigEndian.Uint64(b[Size-8-8*i:])
	}
	return x
}
