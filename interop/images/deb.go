package images

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"path"

	"github.com/ulikunitz/xz"
)

// dataTar is the tar archive of a package's files: the member data.tar of deb(5).
func dataTar(deb io.Reader) (io.Reader, error) {
	a, err := newArReader(bufio.NewReaderSize(deb, 1<<16))
	if err != nil {
		return nil, err
	}
	name, _, err := a.next()
	if err != nil && err != io.EOF {
		return nil, err
	}
	if name != "debian-binary" {
		return nil, fmt.Errorf("%w: its first member is not debian-binary", errDeb)
	}
	var format [4]byte
	if _, err := io.ReadFull(a, format[:]); err != nil || string(format[:2]) != "2." {
		return nil, fmt.Errorf("%w: its format is %q, not 2.0", errDeb, format)
	}
	for {
		name, _, err := a.next()
		if err == io.EOF {
			return nil, fmt.Errorf("%w: it has no data.tar", errDeb)
		}
		if err != nil {
			return nil, err
		}
		switch name {
		case "data.tar":
			return a, nil
		case "data.tar.gz":
			return gzip.NewReader(a)
		case "data.tar.xz":
			return xz.NewReader(bufio.NewReader(a))
		}
		if len(name) > 8 && name[:8] == "data.tar" {
			return nil, fmt.Errorf("its files are compressed as %s, which this program cannot read", path.Ext(name))
		}
	}
}
