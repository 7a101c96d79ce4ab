package splice

import (
	"context"
	"errors"
	"io"
	"testing"
)

// TestClientGoes: that is the client's fault, and a cancellation to whoever reads.
func TestClientGoes(t *testing.T) {
	s := newStorage(t, whole)
	ours, theirs := pair(t)
	p := New()
	defer p.Close()
	body := s.open(t, With(t.Context(), p))
	defer body.Close()
	p.Lead(ours)
	theirs.SetLinger(0)
	theirs.Close()
	var err error
	for err == nil {
		// What is read ahead are bytes, which are not for anybody here.
		_, err = p.Read(body)
	}
	if !errors.Is(err, context.Canceled) || p.Err() == nil {
		t.Errorf("it ended with %v, the client with %v", err, p.Err())
	}
	if s.held.Load() != 0 {
		t.Error("the storage is not being waited for any more")
	}
}

// TestSlowClient: while a client takes nothing, nobody waits for the storage.
func TestSlowClient(t *testing.T) {
	s := newStorage(t, whole)
	p := New()
	defer p.Close()
	body := s.open(t, With(t.Context(), p))
	defer body.Close()
	held := -1
	p.Lead(readerFrom(func(r io.Reader) (int64, error) {
		held = int(s.held.Load())
		return io.Copy(io.Discard, r)
	}))
	for held < 0 {
		if _, err := p.Read(body); err != nil {
			t.Fatal(err)
		}
	}
	if held != 1 || s.held.Load() != 0 {
		t.Errorf("held %d while the client was waited for, %d after", held, s.held.Load())
	}
}

type readerFrom func(io.Reader) (int64, error)

func (f readerFrom) ReadFrom(r io.Reader) (int64, error) { return f(r) }
