from scoring_fakes import model as model
