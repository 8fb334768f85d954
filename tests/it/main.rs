mod cronsim;
