-- What a finished trial says, as numbers that a load computes anew: a bit that
-- flips in one of its rows is noticed (daemon/digest.h). NULL: it has not
-- ended; or it ended where none were kept, and is given them when a daemon
-- starts. The parts are columns, so that what differs can be told.
ALTER TABLE parzen_trials ADD COLUMN end_digest INTEGER;
ALTER TABLE parzen_trials ADD COLUMN params_digest INTEGER;
ALTER TABLE parzen_trials ADD COLUMN reports_digest INTEGER;
ALTER TABLE parzen_trials ADD COLUMN constraints_digest INTEGER;
