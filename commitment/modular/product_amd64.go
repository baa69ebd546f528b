package modular

import "golang.org/x/sys/cpu"

var hasProduct = cpu.X86.HasADX && cpu.X86.HasBMI2

// addProduct is addProductGo for processors with ADX and BMI2.
//
//go:noescape
func addProduct(z, y *[words]uint64, x uint64) (carry uint64)
