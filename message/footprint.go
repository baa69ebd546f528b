package message

// Footprint estimates the bytes of memory that a value holds, its received form with it; it stops once they are over the limit,
// so that asking costs no more than the limit, however large the value.
func Footprint(v Value, limit int64) int64 {
	const word = 64 // of a field or member, beside its contents
	switch v := v.(type) {
	case Bytes:
		return int64(len(v)) + word
	case BigInt:
		return int64(len(v)) + word
	case Atom:
		return int64(len(v)) + word
	case List:
		n := int64(word)
		for _, member := range v {
			if n += Footprint(member, limit-n); n > limit {
				break
			}
		}
		return n
	case Message:
		n := int64(2*len(v.Raw())) + word // the codec's form of it is about as large
		for key, member := range v.All() {
			if n += int64(len(key)) + Footprint(member, limit-n); n > limit {
				break
			}
		}
		return n
	}
	return word
}
