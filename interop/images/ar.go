package images

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// errDeb is what every mistake in a package's outer form wraps.
var errDeb = errors.New("not a Debian package")

const arMagic = "!<arch>\n"

// arReader reads the members of an ar archive, in the form that deb(5) allows:
// plain names, no tables.
type arReader struct {
	r    io.Reader
	left io.LimitedReader // of the member
	pad  int64            // octets behind the member
}

func newArReader(r io.Reader) (*arReader, error) {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != arMagic {
		return nil, fmt.Errorf("%w: it does not begin as an ar archive", errDeb)
	}
	return &arReader{r: r, left: io.LimitedReader{R: r}}, nil
}

// next is the next member, which is read from a; io.EOF: there is none.
func (a *arReader) next() (name string, size int64, err error) {
	if _, err := io.CopyN(io.Discard, a.r, a.left.N+a.pad); err != nil {
		return "", 0, fmt.Errorf("%w: the archive ends within a member", errDeb)
	}
	a.left.N, a.pad = 0, 0
	// ar(5): name 16, date 12, user 6, group 6, mode 8, size 10, end 2.
	h := make([]byte, 60)
	switch n, err := io.ReadFull(a.r, h); {
	case n == 0 && err == io.EOF:
		return "", 0, io.EOF
	case err != nil:
		return "", 0, fmt.Errorf("%w: the archive ends within a header", errDeb)
	case !bytes.Equal(h[58:], []byte("`\n")):
		return "", 0, fmt.Errorf("%w: a member's header does not end as one", errDeb)
	}
	size, err = strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
	if err != nil || size < 0 {
		return "", 0, fmt.Errorf("%w: a member has the size %q", errDeb, h[48:58])
	}
	a.left.N, a.pad = size, size%2
	return strings.TrimSuffix(strings.TrimRight(string(h[:16]), " "), "/"), size, nil
}

// Read reads from the member.
func (a *arReader) Read(b []byte) (int, error) {
	wanted := a.left.N
	n, err := a.left.Read(b)
	if err == io.EOF && wanted > 0 && n == 0 {
		return 0, fmt.Errorf("%w: the archive ends within a member", errDeb)
	}
	return n, err
}
