//go:build !amd64

package modular

const hasProduct = false

func addProduct(z, y *number, x uint64) uint64 { return addProductGo(z, y, x) }
