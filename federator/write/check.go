package write

import "context"

// Check returns the error with which Put would refuse a file as things are now,
// and changes nothing. It is for those who gather a file before they put it.
func (w *Writer) Check(ctx context.Context, p string, file File) error {
	s := w.f.Enter()
	defer s.Leave()
	_, err := w.planAfter(ctx, s, p, &file, true, w.f.Ask)
	return err
}
