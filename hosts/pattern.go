package hosts

// pattern is n bytes of test data from an offset of one endless sequence, so
// that a byte in the wrong place is found at the far end. Its period is 2^24.
func pattern(offset int64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = patternAt(offset + int64(i))
	}
	return b
}

func patternAt(i int64) byte { return byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*57 }

// matches reports whether b is the test data at an offset.
func matches(b []byte, offset int64) bool {
	for i, v := range b {
		if v != patternAt(offset+int64(i)) {
			return false
		}
	}
	return true
}
