package download

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

const (
	// suffix is what an unfinished file has after its name, and stateSuffix
	// what the notes on it have after that.
	suffix      = ".canopy-part"
	stateSuffix = ".json"
	// maxState bounds the notes that are read.
	maxState = 1 << 20
	// saveEvery is how many bytes may be lost to a crash.
	saveEvery = 64 << 20
)

// part is the file under its temporary name, with notes on what is in it.
type part struct {
	root *os.Root
	name string
	file *os.File

	mu   sync.Mutex
	done spans
	// note is what the next notes begin with; its Done is not used.
	note state
	// unsaved is how many bytes have come since the last notes.
	unsaved int64
}

// state is the notes on a part.
type state struct {
	URL     string            `json:"url"`
	Size    int64             `json:"size"`
	ETag    string            `json:"etag,omitempty"`
	Digests map[string]string `json:"digests,omitempty"`
	Done    spans             `json:"done"`
}

// openPart opens or creates the part for name, for this process alone.
func openPart(root *os.Root, name string) (*part, error) {
	p := &part{root: root, name: name + suffix}
	f, err := root.OpenFile(p.name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%q is being downloaded already: %w", name, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is no ordinary file; remove it", p.name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	p.file = f
	return p, nil
}

func (p *part) close() { p.file.Close() }

// resume returns what of job is there already. If there is something which
// cannot be used, why says the reason.
func (p *part) resume(job Job) (have spans, why string) {
	old, err := p.load()
	p.note = state{URL: job.URL, Size: job.Size, ETag: job.ETag, Digests: make(map[string]string)}
	for _, d := range job.Digests {
		p.note.Digests[d.Algorithm] = digest.Hex(d)
	}
	info, fail := p.file.Stat()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil, fail != nil:
		why = "what is known of the earlier download cannot be read"
	case job.Size < 0:
		why = "the server does not say the size any more"
	default:
		if why = old.differs(job, info.Size()); why == "" {
			p.done = old.Done
			return slices.Clone(old.Done), ""
		}
	}
	if err := p.reset(); err != nil && why == "" {
		why = err.Error()
	}
	return nil, why
}

// differs says why a part of length bytes with the notes s is not, or may not
// be, of the content that job asks for; "" if it is.
func (s *state) differs(job Job, length int64) string {
	if s.Size != job.Size || !s.Done.sound(s.Size) || len(s.Done) > 0 && s.Done[len(s.Done)-1].To > length {
		return "the size is another than that of the earlier download"
	}
	var old []plugins.Digest
	for algorithm, value := range s.Digests {
		if d, ok := digest.Decode(algorithm, value); ok {
			old = append(old, d)
		}
	}
	common, same := agree(old, job.Digests)
	strong := s.ETag != "" && !strings.HasPrefix(s.ETag, "W/") && s.URL == job.URL
	switch {
	case !same, !common && strong && job.ETag != "" && job.ETag != s.ETag:
		return "the content has changed since the earlier download"
	case !common && !(strong && job.ETag == s.ETag):
		return "it cannot be told whether the content is still that of the earlier download"
	}
	return ""
}

// load reads the notes.
func (p *part) load() (*state, error) {
	f, err := p.root.Open(p.name + stateSuffix)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// save writes the notes, after the bytes that they speak of are safe.
func (p *part) save() error {
	p.mu.Lock()
	note := p.note
	note.Done = slices.Clone(p.done)
	p.unsaved = 0
	p.mu.Unlock()
	if err := p.file.Sync(); err != nil {
		return err
	}
	data, err := json.Marshal(note)
	if err != nil {
		return err
	}
	fresh := p.name + stateSuffix + ".new"
	if err := p.root.WriteFile(fresh, append(data, '\n'), 0o666); err != nil {
		return err
	}
	return p.root.Rename(fresh, p.name+stateSuffix)
}

// write puts b at offset at, and notes it.
func (p *part) write(b []byte, at int64) error {
	if _, err := p.file.WriteAt(b, at); err != nil {
		return err
	}
	p.mu.Lock()
	p.done = p.done.add(span{at, at + int64(len(b))})
	p.unsaved += int64(len(b))
	due := p.unsaved >= saveEvery
	if due {
		p.unsaved = 0
	}
	p.mu.Unlock()
	if due {
		return p.save()
	}
	return nil
}

// reset makes the part empty.
func (p *part) reset() error {
	p.done, p.unsaved = nil, 0
	if err := p.forget(); err != nil {
		return err
	}
	return p.rewind()
}

// rewind empties the file and goes to its beginning.
func (p *part) rewind() error {
	if err := p.file.Truncate(0); err != nil {
		return err
	}
	_, err := p.file.Seek(0, io.SeekStart)
	return err
}

// leave keeps what can be resumed, after the download has failed for why, and
// removes what cannot. It returns why, and ErrKept if something is kept.
func (p *part) leave(why error) error {
	var wrong *mismatch
	if errors.As(why, &wrong) || plugins.KindOf(why) == plugins.Changed || p.note.Size < 0 || len(p.done) == 0 {
		return errors.Join(why, p.remove())
	}
	if err := p.save(); err != nil {
		return errors.Join(why, err)
	}
	return fmt.Errorf("%w; %w", why, ErrKept)
}

// remove removes part and notes.
func (p *part) remove() error {
	return errors.Join(p.root.Remove(p.name), p.forget())
}

// forget removes the notes.
func (p *part) forget() error {
	if err := p.root.Remove(p.name + stateSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFolder makes the names in the folder of name last.
func syncFolder(root *os.Root, name string) error {
	f, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
